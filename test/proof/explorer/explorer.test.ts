/** The scopes that every run exhausts: `npm run explore` reports on them one by one, and on larger ones. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { Exploration, inGroups, listed } from './explore.js';
import { larger, scopes, standing } from './scopes.js';
import { search } from './search.js';
import { traceOf } from './trace.js';

const LIMIT_MS = 500_000;

describe('the explorer', () => {
  const documented = new Map(
    listed('Scopes of every run').map((row) => [row['scope'], row['states']]),
  );
  const exploration = new Exploration(standing.map(({ name }) => name));

  afterAll(async () => {
    await exploration.end();
    const { all } = exploration;
    const states = all.reduce((sum, one) => sum + one.states, 0);
    process.stderr.write(`explorer: ${all.length} scopes, ${states} states, exhausted\n`);
  });

  it.each(standing)(
    'exhausts $name and finds no promise broken: $what',
    async ({ name, progressOneIn }) => {
      const { violation, states, exhausted, progress } = await exploration.resultOf(name);
      expect(violation?.trace.join('\n')).toBeUndefined();
      expect(exhausted).toBe(true);
      expect(inGroups(states)).toBe(documented.get(`\`${name}\``));
      // Where no candidate can win, none is expected to.
      if (progressOneIn > 0) expect(progress.tried).toBeGreaterThan(0);
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
