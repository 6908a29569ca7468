import type { Outcome } from './referee.js';

/** What a fault did over all its times. */
interface Row {
  times: number;
  losses: number;
  lostNeedlessly: number;
  longestGapMs: number;
  longestTakeoverMs: number;
  excusedOverlaps: number;
  longestExcusedMs: number;
  overlaps: number;
  violations: number;
}

const EMPTY: Row = {
  ...{ times: 0, losses: 0, lostNeedlessly: 0, longestGapMs: 0, longestTakeoverMs: 0 },
  ...{ excusedOverlaps: 0, longestExcusedMs: 0, overlaps: 0, violations: 0 },
};

const VIOLATIONS_KEPT = 200;

export class Tally {
  readonly #rows = new Map<string, Row>();
  readonly violations: string[] = [];

  add(outcome: Outcome): void {
    const row = this.#rows.get(outcome.fault) ?? { ...EMPTY };
    this.#rows.set(outcome.fault, row);
    row.times += 1;
    row.losses += outcome.losses;
    row.lostNeedlessly += outcome.lostNeedlessly;
    row.longestGapMs = Math.max(row.longestGapMs, outcome.longestGapMs);
    row.longestTakeoverMs = Math.max(row.longestTakeoverMs, outcome.longestTakeoverMs);
    row.excusedOverlaps += outcome.excusedOverlaps;
    row.longestExcusedMs = Math.max(row.longestExcusedMs, outcome.longestExcusedMs);
    row.overlaps += outcome.overlaps;
    row.violations += outcome.violations.length;
    if (this.violations.length >= VIOLATIONS_KEPT) return;
    this.violations.push(...outcome.violations.map((what) => `${outcome.fault}: ${what}`));
  }

  /** Faults that always, and at least once not, did what was promised. */
  get verdict(): { passed: number; failed: number } {
    const rows = [...this.#rows.values()];
    const failed = rows.filter(({ violations }) => violations > 0).length;
    return { passed: rows.length - failed, failed };
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

  /** One line for each fault. */
  table(): string[] {
    const width = Math.max(5, ...[...this.#rows.keys()].map(({ length }) => length));
    const head = ['times', 'lost', 'needless', 'gap ms', 'takeover ms', 'overlaps', 'excused'];
    const line = (fault: string, cells: readonly (string | number)[]): string =>
      [fault.padEnd(width), ...cells.map((cell, n) => String(cell).padStart(head[n]!.length))].join(
        '  ',
      );
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      line('fault', head),
      ...rows.map(([fault, row]) => {
        const excused =
          row.excusedOverlaps === 0
            ? '0'
            : `${row.excusedOverlaps} (at most ${row.longestExcusedMs.toFixed(0)} ms)`;
        const [gap, takeover] = [row.longestGapMs, row.longestTakeoverMs].map((n) => n.toFixed(0));
        const counts = [row.times, row.losses, row.lostNeedlessly];
        return line(fault, [...counts, gap ?? '', takeover ?? '', row.overlaps, excused]);
      }),
    ];
  }
}
