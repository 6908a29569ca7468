/** The scopes that every run exhausts: `npm run explore` reports on them one by one, and on larger ones. */
import { describe, expect, it } from '@jest/globals';
import { explore, inGroups, listed } from './explore.js';
import { larger, scopes, standing } from './scopes.js';
import { search } from './search.js';
import { traceOf } from './trace.js';

const LIMIT_MS = 500_000;

describe('the explorer', () => {
  it(
    'exhausts the standing scopes and finds no promise broken',
    async () => {
      const startedAt = performance.now();
      const names = standing.map(({ name }) => name);
      const half = Math.ceil(names.length / 2);
      const found = await Promise.all(
        [names.slice(0, half), names.slice(half)].map((part) => explore(part)),
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      for (const { violation } of found) expect(violation?.trace.join('\n')).toBeUndefined();
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
    'finds a fault of the server by the shortest way, and gives its trace',
    () => {
      const scope = standing.find(({ name }) => name === 'deleted')!;
      const { violation } = search(scope, 1_000_000, 'without-uid');
      const { lines } = traceOf(scope, 'without-uid', violation!);
      expect(lines.at(-1)).toMatch(/^broken \(/);
      expect(lines.length).toBeLessThan(20);
    },
    LIMIT_MS,
  );

  it('says when it did not exhaust a scope', () => {
    expect(search(standing[0]!, 1_000)).toMatchObject({ exhausted: false, violation: null });
  });

  it.each([
    ['Scopes of every run', standing],
    ['Larger scopes', larger],
  ] as const)('is documented scope by scope: %s', (heading, scopes) => {
    const documented = listed(heading).map((row) => [row['scope'], row['what may happen']]);
    expect(documented).toEqual(scopes.map(({ name, what }) => [`\`${name}\``, what]));
  });

  it('has one name for each scope', () => {
    expect(new Set(scopes.map(({ name }) => name)).size).toBe(standing.length + larger.length);
  });
});
