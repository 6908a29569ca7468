import { resultOf } from '../program.js';
import type { Killer, Mutant } from './mutant.js';

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  /** What it was found to break; `null` for one that was not noticed. */
  readonly found: { readonly promise: string; readonly steps: number } | null;
  readonly seconds: number;
}

const PLANT = 'mutants/plant.js';
/** Longer than any of them may wait for its turn. */
const MIX = ['--lasts', '12000', '--seeds', '1'];
/** The longest that a search may take: one that is not caught in a loop is through in seconds. */
const LIMIT_MS = 180_000;

export function nameOf(killer: Killer): string {
  if ('scope' in killer) return `explorer, ${killer.scope}`;
  return 'mix' in killer ? `simulation, ${killer.mix}` : `simulation, seeds from ${killer.from}`;
}

/** The program that has to notice, and what it is told. */
function searchOf(killer: Killer): readonly [program: string, args: readonly string[]] {
  if ('scope' in killer) return ['explorer/main.ts', ['--scope', killer.scope]];
  const program = 'simulation/main.ts';
  if ('mix' in killer) return [program, ['--raw', '--mix', killer.mix, ...MIX]];
  return [program, ['--raw', '--from', `${killer.from}`, '--seeds', `${killer.seeds}`]];
}

/** Runs the killer in a process of its own, in which the mutant is planted. Rejects when that fails by itself. */
export async function face(mutant: Mutant): Promise<Verdict> {
  const env = { SYNC_MUTANT: mutant.name };
  const options = { imports: [PLANT], env, limitMs: LIMIT_MS };
  const begun = performance.now();
  const { violation: found } = await resultOf<{ violation: Verdict['found'] }>(
    ...searchOf(mutant.killer),
    options,
  );
  return { mutant, found, seconds: (performance.now() - begun) / 1_000 };
}
