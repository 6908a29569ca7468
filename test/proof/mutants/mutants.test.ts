/** Every changed decision must be noticed: `SYNC_MUTANT=name` with `plant.js` shows the trace of one. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { face, nameOf, type Verdict } from './killer.js';
import { mutants } from './list.js';
import { planted } from './patch.js';

/** They compute, each in a process of its own. */
const AT_ONCE = 2;
const verdicts = new Map<string, Promise<Verdict>>();

beforeAll(() => {
  const waiting = [...mutants];
  const next = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      settle.get(mutant.name)?.(face(mutant));
      await verdicts.get(mutant.name)?.catch(() => undefined);
    }
  };
  const settle = new Map<string, (verdict: Promise<Verdict>) => void>();
  for (const { name } of mutants) {
    verdicts.set(name, new Promise((resolve) => settle.set(name, resolve)));
  }
  for (let n = 0; n < AT_ONCE; n++) void next();
});

afterAll(async () => {
  const all = (await Promise.allSettled(verdicts.values())).flatMap((one) =>
    one.status === 'fulfilled' ? [one.value] : [],
  );
  const lines = all.map(({ mutant, found, seconds }) => {
    const what = found === null ? 'NOT FOUND' : `promise ${found.promise} in ${found.steps} steps`;
    return `  ${mutant.name.padEnd(28)}${nameOf(mutant.killer).padEnd(36)}${what} (${seconds.toFixed(1)} s)`;
  });
  const killed = all.filter(({ found }) => found !== null).length;
  process.stderr.write(`${lines.join('\n')}\nmutants killed ${killed}/${mutants.length}\n`);
}, 600_000);

describe('planted faults', () => {
  it('have unique names, and are many', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(20);
  });

  it.each(mutants)(
    '$name is found',
    async ({ name, what }) => {
      const { found } = (await verdicts.get(name))!;
      expect({ what, isFound: found !== null }).toEqual({ what, isFound: true });
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
