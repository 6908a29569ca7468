import type { Outcome } from './fault-checker.js';

/** What a fault did over all its times. */
interface Row {
  times: number;
  survived: number;
  losses: number;
  lostNeedlessly: number;
  lostInSilence: number;
  longestGapMs: number;
  takeovers: number;
  longestTakeoverMs: number;
  excusedOverlaps: number;
  longestExcusedMs: number;
  overlaps: number;
  violations: number;
}

const EMPTY: Row = {
  ...{ times: 0, survived: 0, losses: 0, lostNeedlessly: 0, lostInSilence: 0, violations: 0 },
  ...{ longestGapMs: 0, takeovers: 0, longestTakeoverMs: 0 },
  ...{ overlaps: 0, excusedOverlaps: 0, longestExcusedMs: 0 },
};

const VIOLATIONS_KEPT = 200;

export class FaultStats {
  readonly #rows = new Map<string, Row>();
  readonly violations: string[] = [];

  add(outcome: Outcome): void {
    const row = this.#rows.get(outcome.fault) ?? { ...EMPTY };
    this.#rows.set(outcome.fault, row);
    row.times += 1;
    if (outcome.violations.length === 0) row.survived += 1;
    row.losses += outcome.losses;
    row.lostNeedlessly += outcome.lostNeedlessly;
    row.lostInSilence += outcome.lostInSilence;
    row.longestGapMs = Math.max(row.longestGapMs, outcome.longestGapMs);
    row.takeovers += outcome.takeovers;
    row.longestTakeoverMs = Math.max(row.longestTakeoverMs, outcome.longestTakeoverMs);
    row.excusedOverlaps += outcome.excusedOverlaps;
    row.longestExcusedMs = Math.max(row.longestExcusedMs, outcome.longestExcusedMs);
    row.overlaps += outcome.overlaps;
    row.violations += outcome.violations.length;
    for (const what of outcome.violations) this.note(`${outcome.fault}: ${what}`);
  }

  /** A violation, of a fault's or of the run's. */
  note(what: string): void {
    if (this.violations.length < VIOLATIONS_KEPT) this.violations.push(what);
  }

  /** How many faults there were, each of them as often as it was injected. */
  get all(): number {
    return this.#sum(({ times }) => times);
  }

  /** After how many nothing was amiss. */
  get survived(): number {
    return this.#sum(({ survived }) => survived);
  }

  #sum(of: (row: Row) => number): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + of(row), 0);
  }

  toJSON(): object {
    const faults = Object.fromEntries(
      [...this.#rows].map(([fault, row]) => [
        fault,
        Object.fromEntries(Object.entries(row).map(([key, n]) => [key, Math.round(Number(n))])),
      ]),
    );
    return { faults, violations: this.violations };
  }

  /** Markdown, one line for each fault. */
  table(): string[] {
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    return markdown([HEAD, ...rows.map(([fault, row]) => cells(fault, row))]);
  }
}

const HEAD = [
  ...[
    'fault',
    'times',
    'terms lost',
    'needlessly',
    'machine stalled',
    'longest gap (ms)',
    'takeovers',
  ],
  ...['longest (ms)', 'overlaps', 'after outsiders (longest, ms)', 'violations'],
];

function cells(fault: string, row: Row): string[] {
  const excused =
    row.excusedOverlaps === 0 ? '0' : `${row.excusedOverlaps} (${row.longestExcusedMs.toFixed(0)})`;
  const numbers = [
    ...[
      row.times,
      row.losses,
      row.lostNeedlessly,
      row.lostInSilence,
      row.longestGapMs,
      row.takeovers,
    ],
    ...[row.longestTakeoverMs, row.overlaps, excused, row.violations],
  ];
  return [fault, ...numbers.map((n) => (typeof n === 'number' ? n.toFixed(0) : n))];
}

function markdown(table: readonly string[][]): string[] {
  const widths = HEAD.map((_, n) => Math.max(...table.map((row) => row[n]?.length ?? 0)));
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, n) => pad(cell, n, widths[n] ?? 0));
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, n) =>
    n === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const [head = [], ...rows] = table;
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)];
}

function pad(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
