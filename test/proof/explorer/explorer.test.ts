/** The standing scopes, each exhausted: `npm run explore` tells of them one by one, and of larger ones. */
import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rowsOf } from '../../../tools/docs/tables.js';
import { larger, scopes, standing } from './scopes.js';
import { search } from './search.js';
import { tell } from './story.js';

interface Explored {
  readonly violation: { readonly promise: string; readonly story: readonly string[] } | null;
  readonly states: number;
  readonly scopes: readonly {
    readonly scope: string;
    readonly states: number;
    readonly exhausted: boolean;
    readonly progress: { readonly tried: number };
  }[];
}

const LIMIT_MS = 500_000;
const loader = fileURLToPath(new URL('../../../tools/loader.js', import.meta.url));
const main = fileURLToPath(new URL('main.ts', import.meta.url));

/** In a process of its own: the modules of Jest's own world are not compiled for speed. */
function explore(...names: readonly string[]): Promise<Explored> {
  const chosen = names.flatMap((name) => ['--scope', name]);
  const options = { env: { ...process.env, NODE_OPTIONS: '' }, maxBuffer: 2 ** 26 };
  return new Promise((resolve, reject) => {
    const command = ['--import', loader, main, '--json', ...chosen];
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) resolve(JSON.parse(last) as Explored);
      else reject(new Error(stderr, { cause: error }));
    });
  });
}

/** What docs/proof.md says of the scopes. */
function listed(heading: string) {
  const page = 'docs/proof.md';
  return rowsOf(page, readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8'), heading);
}

function inGroups(count: number): string {
  return count.toLocaleString('en').replaceAll(',', ' ');
}

describe('the explorer', () => {
  it(
    'exhausts the standing scopes and finds no promise broken',
    async () => {
      const startedAt = performance.now();
      const names = standing.map(({ name }) => name);
      const half = Math.ceil(names.length / 2);
      const found = await Promise.all(
        [names.slice(0, half), names.slice(half)].map((part) => explore(...part)),
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      for (const { violation } of found) expect(violation?.story.join('\n')).toBeUndefined();
      const all = found.flatMap(({ scopes: met }) => met);
      expect(all.map(({ scope }) => scope)).toEqual(names);
      const counted = all.map(({ scope, states }) => [`\`${scope}\``, inGroups(states)]);
      expect(listed('Scopes of every run').map((row) => [row['scope'], row['states']])).toEqual(
        counted,
      );
      for (const one of all) {
        expect(one).toMatchObject({ exhausted: true });
        expect(one.progress.tried).toBeGreaterThan(0);
        process.stderr.write(`explorer: ${one.scope}: ${one.states} states, exhausted\n`);
      }
      const states = found.reduce((sum, one) => sum + one.states, 0);
      process.stderr.write(
        `explorer: ${names.length} scopes, ${states} states, exhausted in ${seconds.toFixed(1)} s, nothing broken\n`,
      );
    },
    LIMIT_MS,
  );

  it(
    'finds what a server does wrong, by the shortest way, and tells it as a story',
    () => {
      const scope = standing.find(({ name }) => name === 'deleted')!;
      const { violation } = search(scope, 1_000_000, 'without-uid');
      const { lines } = tell(scope, 'without-uid', violation!);
      expect(lines.at(-1)).toMatch(/^broken \(/);
      expect(lines.length).toBeLessThan(20);
    },
    LIMIT_MS,
  );

  it('tells when it was not through', () => {
    expect(search(standing[0]!, 1_000)).toMatchObject({ exhausted: false, violation: null });
  });

  it.each([
    ['Scopes of every run', standing],
    ['Larger scopes', larger],
  ] as const)('tells of its scopes as they are: %s', (heading, scopes) => {
    const told = listed(heading).map((row) => [row['scope'], row['what may happen']]);
    expect(told).toEqual(scopes.map(({ name, what }) => [`\`${name}\``, what]));
  });

  it('has one name for each scope', () => {
    expect(new Set(scopes.map(({ name }) => name)).size).toBe(standing.length + larger.length);
  });
});
