// Lets Node run the TypeScript of this repository as it is, so that a global set-up of Jest, examples and
// child processes share the code of the tests: `node --import ./tools/loader.js script.ts`.
// Types are removed, not checked. The package's own name leads to `src/`.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { createRequire, register } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const OWN_NAMES = new Map([
  [
    '@metaparticle/sync/opentelemetry',
    new URL('../src/opentelemetry/index.ts', import.meta.url).href,
  ],
  ['@metaparticle/sync/prometheus', new URL('../src/prometheus/index.ts', import.meta.url).href],
  ['@metaparticle/sync', new URL('../src/index.ts', import.meta.url).href],
  ['@metaparticle/sync/testing', new URL('../src/testing/index.ts', import.meta.url).href],
]);

const OPTIONS = {
  target: 'es2022',
  module: 'esnext',
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
};
/** Folders of which a process usually needs most. */
const ROOMS = ['../src/', '../examples/', '../demo/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const CACHE = new URL('../node_modules/.cache/loader/', import.meta.url);

// The hooks live in a thread of their own, which loads this file a second time.
if (isMainThread) register(import.meta.url);

export async function resolve(specifier, context, nextResolve) {
  const own = OWN_NAMES.get(specifier);
  if (own !== undefined) return { url: own, shortCircuit: true };
  if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL !== undefined) {
    const source = new URL(specifier.replace(/js$/, 'ts'), context.parentURL);
    if (existsSync(source)) return { url: source.href, shortCircuit: true };
  }
  return nextResolve(specifier, context);
}

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  const source = await compiled(fileName, await readFile(fileName, 'utf8'));
  return { format: 'module', source, shortCircuit: true };
}

/** Compiled once: the compiler alone costs a process half a second and 100 MB. */
export async function compiled(fileName, text) {
  const kept = new URL(`${keyOf(fileName, text)}.js`, CACHE);
  const found = await readFile(kept, 'utf8').catch(() => null);
  if (found !== null) return found;
  const { default: ts } = await import('typescript');
  const made = ts.transpileModule(text, { fileName, compilerOptions: OPTIONS }).outputText;
  await keep(kept, made);
  const room = ROOMS.find((folder) => fileName.startsWith(folder));
  if (room !== undefined) await compileAll(room);
  return made;
}

function keyOf(...input) {
  const { version } = createRequire(import.meta.url)('typescript/package.json');
  return createHash('sha256')
    .update(JSON.stringify([version, OPTIONS, input]))
    .digest('hex');
}

/** A cache that cannot be written is done without. By renaming: others may be reading. */
async function keep(file, text) {
  const draft = new URL(`${file.href}.${process.pid}`);
  await mkdir(CACHE, { recursive: true })
    .then(() => writeFile(draft, text))
    .then(() => rename(draft, file))
    .catch(() => undefined);
}

const roomsDone = new Set();

/** While the compiler is at hand: child processes will want the others, each for itself. */
async function compileAll(room) {
  if (roomsDone.has(room)) return;
  roomsDone.add(room);
  const names = await readdir(room, { recursive: true });
  for (const name of names) {
    const fileName = join(room, name);
    if (name.endsWith('.ts')) await compiled(fileName, await readFile(fileName, 'utf8'));
  }
}
