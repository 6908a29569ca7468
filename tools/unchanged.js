// Runs a check of the whole repository unless not a byte has changed since it last passed:
// `node tools/unchanged.js [--pages] NAME PROGRAM [argument…]`. ESLint's own cache goes by single files, but rules
// that know types judge a file by what it imports as well. With `--pages` Markdown counts, too.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The lock file, which is read, names the versions of what is in node_modules. */
const NOT_READ = /(^|\/)(node_modules|dist|\.git)$/;
const isOfPages = process.argv[2] === '--pages';
const READ = isOfPages ? /\.(ts|js|mjs|json|md)$/ : /\.(ts|js|mjs|json)$/;

const [name, program, ...args] = process.argv.slice(isOfPages ? 3 : 2);
const passed = join(root, 'node_modules/.cache/unchanged', name);
const state = stateOf(root);
if (existsSync(passed) && readFileSync(passed, 'utf8') === state) {
  console.log(`${name}: passed before, and nothing has changed since`);
} else {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
  mkdirSync(dirname(passed), { recursive: true });
  writeFileSync(passed, state);
}

function stateOf(folder) {
  const hash = createHash('sha256').update(JSON.stringify([process.version, program, args]));
  for (const file of filesIn(folder)) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function filesIn(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_READ.test(path) ? [] : filesIn(path);
    return READ.test(entry.name) ? [path] : [];
  });
}
