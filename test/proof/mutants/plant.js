// Plants the mutant that SYNC_MUTANT names into the sources as they are loaded, and nowhere else:
// `SYNC_MUTANT=name node --import ./tools/loader.js --import ./test/proof/mutants/plant.js main.ts`
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { compiled } from '../../../tools/loader.js';
import { planted } from './patch.js';

/** @type {{ mutant: import('./mutant.js').Mutant, url: string }} */
let wanted;

// The hooks live in a thread of their own, which loads this file a second time.
if (isMainThread) await plant(process.env.SYNC_MUTANT);

async function plant(name) {
  const { mutants } = await import('./list.js');
  const mutant = mutants.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`SYNC_MUTANT names no mutant: ${name}`);
  const { href } = new URL(`../../../src/${mutant.file}`, import.meta.url);
  register(import.meta.url, { data: { mutant, url: href } });
}

export function initialize(data) {
  wanted = data;
}

export async function load(url, context, nextLoad) {
  if (url !== wanted.url) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  const text = planted(await readFile(fileName, 'utf8'), wanted.mutant);
  return { format: 'module', source: await compiled(fileName, text), shortCircuit: true };
}
