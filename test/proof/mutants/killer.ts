import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Killer, Mutant } from './mutant.js';

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  /** What it was found to break; `null` for one that was not noticed. */
  readonly found: { readonly promise: string; readonly steps: number } | null;
  readonly seconds: number;
}

const proof = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const LOADERS = [fileURLToPath(new URL('../../../tools/loader.js', import.meta.url))];
const PLANT = proof('mutants/plant.js');
/** Longer than any of them may wait for its turn. */
const MIX = ['--lasts', '12000', '--seeds', '1'];
/** The longest that a search may take: one that is not caught in a loop is through in seconds. */
const LIMIT_MS = 180_000;

export function nameOf(killer: Killer): string {
  if ('scope' in killer) return `explorer, ${killer.scope}`;
  return 'mix' in killer ? `simulation, ${killer.mix}` : `simulation, seeds from ${killer.from}`;
}

function commandOf(killer: Killer): string[] {
  if ('scope' in killer) return [proof('explorer/main.ts'), '--json', '--scope', killer.scope];
  const simulation = [proof('simulation/main.ts'), '--json', '--raw'];
  if ('mix' in killer) return [...simulation, '--mix', killer.mix, ...MIX];
  const seeds = ['--from', `${killer.from}`, '--seeds', `${killer.seeds}`];
  return [...simulation, ...seeds];
}

/** Runs the killer in a process of its own, in which the mutant is planted. Rejects when that fails by itself. */
export function face(mutant: Mutant): Promise<Verdict> {
  const imports = [...LOADERS, PLANT].flatMap((file) => ['--import', file]);
  const env = { ...process.env, NODE_OPTIONS: '', SYNC_MUTANT: mutant.name };
  const options = { env, timeout: LIMIT_MS, maxBuffer: 2 ** 26 };
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const command = [...imports, ...commandOf(mutant.killer)];
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      // A process that could not even load its sources ends with 1 as well.
      if (!last.startsWith('{') || (error !== null && error.code !== 1)) {
        reject(new Error(`mutant ${mutant.name}: ${stderr || 'no output'}`, { cause: error }));
        return;
      }
      const { violation: found } = JSON.parse(last) as { violation: Verdict['found'] };
      resolve({ mutant, found, seconds: (performance.now() - begun) / 1_000 });
    });
  });
}
