/** Every changed decision must be noticed: `SYNC_MUTANT=name` with `plant.js` shows the trace of one. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { face, nameOf, type Verdict } from './killer.js';
import { mutants } from './list.js';
import { planted } from './patch.js';

const verdicts: Verdict[] = [];

afterAll(() => {
  const lines = verdicts.map(({ mutant, found, seconds }) => {
    const what = found === null ? 'NOT FOUND' : `promise ${found.promise} in ${found.steps} steps`;
    return `  ${mutant.name.padEnd(28)}${nameOf(mutant.killer).padEnd(36)}${what} (${seconds.toFixed(1)} s)`;
  });
  const killed = verdicts.filter(({ found }) => found !== null).length;
  process.stderr.write(`${lines.join('\n')}\nmutants killed ${killed}/${mutants.length}\n`);
});

describe('planted faults', () => {
  it('have unique names, and are many', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(20);
  });

  it.each(mutants)(
    '$name is found',
    async (mutant) => {
      const verdict = await face(mutant);
      verdicts.push(verdict);
      const { what } = mutant;
      expect({ what, isFound: verdict.found !== null }).toEqual({ what, isFound: true });
    },
    600_000,
  );

  it('cannot be planted unless their text is there once', () => {
    const [mutant] = mutants;
    const { find, replace, name } = mutant!;
    expect(planted(`a ${find} b`, mutant!)).toBe(`a ${replace} b`);
    expect(() => planted('nothing', mutant!)).toThrow(`mutant ${name}: its text occurs 0 times`);
    expect(() => planted(find + find, mutant!)).toThrow('occurs 2 times');
  });
});
