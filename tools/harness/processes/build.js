// Makes plain JavaScript of the worker programs and of all they import, since compiling it in every
// child process would take each of them seconds. `node build.js` prints the folder of the programs;
// files that did not change since are left alone. Types are removed, not checked.
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
// Inside node_modules, so that the programs find the packages that they import: each leg its own.
const leg = process.env.SYNC_TEST_LEG === 'node24' ? 'test/node24' : '';
const out = join(root, leg, 'node_modules/.cache/workers');
const SOURCES = ['src', 'tools/harness/processes', 'bench/workers'];
const SINGLE_SOURCES = ['tools/harness/raw.ts'];

const sources = SOURCES.flatMap((folder) =>
  fs.readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)),
);
let ts;
for (const source of [...sources, ...SINGLE_SOURCES]) {
  if (source.endsWith('.ts')) await compile(source);
}
// As programs find it beside them: what kind of modules they are, and of which version.
const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));
write(join(out, 'package.json'), `${JSON.stringify({ type: 'module', version })}\n`);
process.stdout.write(join(out, 'tools/harness/processes'));

async function compile(source) {
  const from = join(root, source);
  const to = join(out, source.replace(/ts$/, 'js'));
  const { mtime, mtimeMs } = fs.statSync(from);
  const made = fs.statSync(to, { throwIfNoEntry: false });
  // Times are copied with the precision of a floating-point number of seconds.
  if (made !== undefined && Math.abs(made.mtimeMs - mtimeMs) < 2) return;
  ts ??= (await import('typescript')).default;
  const { outputText } = ts.transpileModule(fs.readFileSync(from, 'utf8'), {
    fileName: from,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  write(to, outputText, mtime);
}

/** By renaming, since another test run may be starting its programs right now. */
function write(file, text, mtime = new Date()) {
  fs.mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, text);
  fs.utimesSync(temporary, mtime, mtime);
  fs.renameSync(temporary, file);
}
