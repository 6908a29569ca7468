// Lets Node run the TypeScript of this repository as it is, so that a global set-up of Jest and
// child processes of tests share the code of the tests: `node --import ./test/integration/loader.js
// script.ts`. Types are removed, not checked. The package's own name leads to `src/`.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const OWN_NAMES = new Map([
  ['@metaparticle/sync', new URL('../../src/index.ts', import.meta.url).href],
  ['@metaparticle/sync/testing', new URL('../../src/testing/index.ts', import.meta.url).href],
]);

// The hooks live in a thread of their own, which loads this file a second time, and alone compiles.
if (isMainThread) register(import.meta.url);
const ts = isMainThread ? undefined : (await import('typescript')).default;

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
  const { outputText } = ts.transpileModule(await readFile(fileName, 'utf8'), {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
