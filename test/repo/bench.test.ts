// The table of the README is that of the last run of bench/, as it was written.
import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, tableOf, type Run } from '../../bench/report.js';
import { against, bars, cumulative } from '../../bench/plots.js';
import type { Result } from '../../bench/stage.js';
import { rowsOf } from '../../tools/docs/tables.js';
import { root } from '../../tools/docs/source.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const results = JSON.parse(read('bench/results/results.json')) as Omit<Run, 'results'> & {
  readonly figures: Readonly<Record<string, Result['figures']>>;
};

it('the table in the README is that of the results, figure by figure', () => {
  const page = 'README.md';
  const has = rowsOf('results.md', read('bench/results/results.md'));
  expect(rowsOf(page, read(page), 'Measured')).toEqual(has);
  expect(has.length).toBe(Object.values(results.figures).flat().length);
});

it('the results have the table that their figures make', () => {
  const run = Object.entries(results.figures).map(([name, figures]) => [name, { figures }]);
  const table = tableOf({ ...results, results: Object.fromEntries(run) as Run['results'] });
  expect(read('bench/results/results.md')).toBe(`${table}\n`);
});

it('only a whole run replaces the committed results, unless it is told where to write', () => {
  expect(folderOf({ quick: false })).toBe(join(root, 'bench/results'));
  expect(folderOf({ quick: true })).toBeNull();
  expect(folderOf({ quick: false, only: ['herd'] })).toBeNull();
  for (const quick of [true, false]) expect(folderOf({ quick, out: '/tmp/x' })).toBe('/tmp/x');
});

it('plots are drawn without a browser, with every line and bar', () => {
  const svg = cumulative('A title', 'ms', { ours: [1, 2, 3], theirs: [10, 20], none: [] }, true);
  for (const word of ['<svg', 'A title', 'ours', 'theirs']) expect(svg).toContain(word);
  expect(svg).not.toContain('none<');
  expect(bars('Shares', 'process', [1, 2, 3])).toContain('Shares');
  const points = { writes: [[1, 2] as const, [10, 3] as const] };
  const plot = against('Growth', ['waiters', 'each'], points);
  for (const word of ['Growth', 'waiters', 'each', 'writes']) expect(plot).toContain(word);
});
