// Lints everything, unless not a byte of it has changed since it last passed. ESLint's own cache goes by single
// files; but rules that know types judge a file by what it imports as well.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const passed = join(root, 'node_modules/.cache/lint/passed');
/** What comes from elsewhere is named by the lock file. */
const FOREIGN = /(^|\/)(node_modules|dist|\.git)$/;
const READ = /\.(ts|js|mjs|json)$/;

const state = stateOf(root);
if (existsSync(passed) && readFileSync(passed, 'utf8') === state) {
  console.log('lint: passed before, and nothing has changed since');
} else {
  const { status } = spawnSync('eslint', ['.', '--max-warnings', '0'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  mkdirSync(dirname(passed), { recursive: true });
  writeFileSync(passed, state);
}

function stateOf(folder) {
  const hash = createHash('sha256').update(process.version);
  for (const file of filesIn(folder)) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function filesIn(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return FOREIGN.test(path) ? [] : filesIn(path);
    return READ.test(entry.name) ? [path] : [];
  });
}
