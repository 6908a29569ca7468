// Lets Node run the TypeScript of this repository as it is, so that a global set-up of Jest and
// child processes of tests share the code of the tests: `node --import ./test/integration/loader.js
// script.ts`. Types are removed, not checked. The package's own name leads to `src/`.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const OWN_NAMES = new Map([
  ['@metaparticle/sync', new URL('../../src/index.ts', import.meta.url).href],
  ['@metaparticle/sync/testing', new URL('../../src/testing/index.ts', import.meta.url).href],
]);

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
  const source = await compiled(fileURLToPath(url));
  return { format: 'module', source, shortCircuit: true };
}

// Processes of tests are many, and each would spend most of its start on compiling the same files. What
// was compiled is kept by all that it depends on, so that it can never be of another time.
const CACHE = new URL('../../node_modules/.cache/loader/', import.meta.url);
const COMPILER = ['./loader.js', '../../node_modules/typescript/package.json'];
let compiler;

async function compiled(fileName) {
  const text = await readFile(fileName, 'utf8');
  compiler ??= Promise.all(COMPILER.map((path) => readFile(new URL(path, import.meta.url))));
  const hash = createHash('sha256');
  for (const part of [...(await compiler), fileName, '\0', text]) hash.update(part);
  const kept = new URL(`${hash.digest('hex')}.js`, CACHE);
  return readFile(kept, 'utf8').catch(async () => {
    const output = await compile(fileName, text);
    await mkdir(CACHE, { recursive: true });
    // Whole or not at all: other processes read meanwhile.
    const draft = new URL(`${kept.href}.${process.pid}`);
    await writeFile(draft, output).then(() => rename(draft, kept));
    return output;
  });
}

async function compile(fileName, text) {
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return outputText;
}
