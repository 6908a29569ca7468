/** The larger scopes: exhausted where that is possible in minutes, else searched to a stated number of states. */
import { describe, expect, it } from '@jest/globals';
import { exploreEach, inGroups, listed } from './explore.js';
import { larger } from './scopes.js';

/** How far scopes are searched that are too large to exhaust. */
const STATES = 1_000_000;
const UNEXHAUSTED = `> ${inGroups(STATES)}`;
const LIMIT_MS = 3_600_000;

const rows = listed('Larger scopes');
const isUnexhausted = (name: string): boolean =>
  rows.some((row) => row['scope'] === `\`${name}\`` && row['states'] === UNEXHAUSTED);
const names = larger.map(({ name }) => name);

describe('the explorer', () => {
  it(
    'exhausts larger scopes and finds no promise broken',
    async () => {
      const exhausted = names.filter((name) => !isUnexhausted(name));
      const found = await exploreEach(exhausted);
      for (const { violation } of found) expect(violation?.trace.join('\n')).toBeUndefined();
      const counted = found.map(({ scope, states }) => [`\`${scope}\``, inGroups(states)]);
      const documented = rows.filter((row) => row['states'] !== UNEXHAUSTED);
      expect(documented.map((row) => [row['scope'], row['states']])).toEqual(counted);
      expect(found.filter(({ exhausted }) => !exhausted)).toEqual([]);
      const states = found.reduce((sum, one) => sum + one.states, 0);
      process.stderr.write(`explorer: ${exhausted.length} scopes, ${states} states, exhausted\n`);
    },
    LIMIT_MS,
  );

  it(
    `searches the others to ${inGroups(STATES)} states each and finds no promise broken`,
    async () => {
      const others = names.filter(isUnexhausted);
      const found = await exploreEach(others, '--states', `${STATES}`);
      for (const { violation } of found) expect(violation?.trace.join('\n')).toBeUndefined();
      expect(found.filter(({ exhausted }) => exhausted)).toEqual([]);
      expect(others.length).toBeGreaterThan(0);
      process.stderr.write(
        `explorer: ${others.length} scopes, ${STATES} states each, not exhausted\n`,
      );
    },
    LIMIT_MS,
  );
});
