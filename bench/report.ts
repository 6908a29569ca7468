// What a run leaves behind: the figures as JSON, the table as Markdown, and the plots.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { against, bars, cumulative } from './plots.js';
import type { Figure, Result } from './stage.js';

/** Of one run. */
export interface Run {
  readonly server: string;
  readonly node: string;
  readonly cores: number;
  readonly isQuick: boolean;
  readonly results: Readonly<Record<string, Result>>;
}

export function runOf(
  server: string,
  isQuick: boolean,
  results: Readonly<Record<string, Result>>,
): Run {
  return { server, node: process.version, cores: cpus().length, isQuick, results };
}

export function tableOf(run: Run): string {
  const rows = Object.values(run.results).flatMap(({ figures }) => figures.map(rowOf));
  const heading = ['| figure | goal | measured | rival |', '| --- | --- | --- | --- |'];
  return [...heading, ...rows].join('\n');
}

function rowOf({ figure, goal, measured, isMet, rival }: Figure): string {
  const verdict = isMet === null ? '' : isMet ? ' ✓' : ' **missed**';
  return `| ${[figure, goal, measured + verdict, rival].join(' | ')} |`;
}

/** Name of the file, the row and what of it is shown, and the picture. */
const PLOTS: Readonly<Record<string, readonly [string, keyof Shown, (result: Shown) => string]>> = {
  'hand-off': [
    'hand-off',
    'series',
    ({ series }) => cumulative('Hand-off: from the release to the next holder', 'ms', series, true),
  ],
  peers: [
    'peers',
    'series',
    ({ series }) => cumulative('Hand-off in one loop', 'ms', series, true),
  ],
  crash: [
    'crash',
    'series',
    ({ series }) => {
      const title = 'Crash: from the last renewal to the next holder, leases of 15 s';
      return cumulative(title, 'ms', series, false);
    },
  ],
  fairness: [
    'herd',
    'series',
    ({ series }) => {
      const title = 'Ten processes that take one lock as fast as they can';
      return bars(title, 'process', series['shares of 10 processes'] ?? []);
    },
  ],
  requests: [
    'candidates',
    'points',
    ({ points }) => {
      const axes = ['candidates', 'requests per second'] as const;
      return against('Requests at rest, by the count of the API server', axes, points);
    },
  ],
  herd: [
    'herd',
    'points',
    ({ points }) => {
      const axes = ['waiters', 'for each hand-off'] as const;
      return against('A lock that passes among waiters: writes and time', axes, points);
    },
  ],
  locks: [
    'many',
    'points',
    ({ points }) => {
      const axes = ['locks held', ''] as const;
      return against('What held locks cost their process', axes, points);
    },
  ],
};
type Shown = Required<Pick<Result, 'series' | 'points'>>;

/** The folder for the results: the one that is named; without one, that of the committed results for a whole run. */
export function folderOf(options: {
  readonly quick: boolean;
  readonly only?: readonly string[] | undefined;
  readonly out?: string | undefined;
}): string | null {
  const { quick, only, out } = options;
  if (out !== undefined) return out;
  const isWhole = !quick && only === undefined;
  return isWhole ? fileURLToPath(new URL('results', import.meta.url)) : null;
}

/** Writes all of it into the folder. */
export function write(run: Run, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { results, ...rest } = run;
  const figures = Object.fromEntries(
    Object.entries(results).map(([name, { figures: of }]) => [name, of]),
  );
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify({ ...rest, figures }, null, 2)}\n`);
  writeFileSync(join(folder, 'results.md'), `${tableOf(run)}\n`);
  for (const [plot, [row, kind, draw]] of Object.entries(PLOTS)) {
    const { series = {}, points = {} } = results[row] ?? {};
    // A quick run has no more than one point of a line.
    const lines: readonly (readonly unknown[])[] = Object.values({ series, points }[kind]);
    const isShown = lines.some((line) => line.length > 1);
    if (isShown) writeFileSync(join(folder, `${plot}.svg`), draw({ series, points }));
  }
}
