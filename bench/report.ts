// What a run leaves behind: the figures as JSON, the table as Markdown, and the plots.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { bars, cumulative } from './plots.js';
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

const PLOTS: Readonly<Record<string, (series: NonNullable<Result['series']>) => Plots>> = {
  'hand-off': (series) => ({
    'hand-off': cumulative('Hand-off: from the release to the next holder', 'ms', series, true),
  }),
  crash: (series) => ({
    crash: cumulative(
      'Crash: from the last renewal to the next holder, leases of 15 s',
      ...(['ms', series, false] as const),
    ),
  }),
  peers: (series) => ({
    peers: cumulative('Hand-off in one loop, side by side', 'ms', series, true),
  }),
  herd: (series) => ({
    fairness: bars(
      'Ten processes that take one lock as fast as they can',
      ...(['process', series['shares of 10 processes'] ?? []] as const),
    ),
  }),
};
type Plots = Readonly<Record<string, string>>;

/** Writes all of it into the folder. */
export function write(run: Run, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { results, ...rest } = run;
  const figures = Object.fromEntries(
    Object.entries(results).map(([name, { figures: of }]) => [name, of]),
  );
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify({ ...rest, figures }, null, 2)}\n`);
  writeFileSync(join(folder, 'results.md'), `${tableOf(run)}\n`);
  for (const [name, { series }] of Object.entries(results)) {
    if (series === undefined) continue;
    for (const [plot, svg] of Object.entries(PLOTS[name]?.(series) ?? {})) {
      writeFileSync(join(folder, `${plot}.svg`), svg);
    }
  }
}
