// The second leg: `node test/node24/run.js [arguments of Jest]` runs the integration tests on Node.js 24
// with client-node 2.x, which the main package cannot have on Node.js 20. Installs both beside itself.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const node = `${here}node_modules/node24/bin/node`;

if (process.platform !== 'linux' || process.arch !== 'x64') {
  process.stderr.write('second leg: skipped, its Node.js is packaged for linux-x64 only\n');
  process.exit();
}
if (!isInstalled()) run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], here);
run(`${root}node_modules/.bin/tsc`, ['-p', `${here}tsconfig.json`], root);
const jest = [`${root}node_modules/jest/bin/jest.js`, '--config', `${here}jest.config.js`];
run(node, [...jest, ...process.argv.slice(2)], root);

function isInstalled() {
  const [wanted, there] = ['package-lock.json', 'node_modules/.package-lock.json'].map((name) =>
    existsSync(here + name) ? JSON.parse(readFileSync(here + name, 'utf8')).packages : {},
  );
  return (
    existsSync(node) &&
    Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        path === '' || optional || there[path]?.version === version,
    )
  );
}

function run(program, args, cwd) {
  const flags = '--experimental-vm-modules --disable-warning=ExperimentalWarning';
  const NODE_OPTIONS = program === node ? `${process.env.NODE_OPTIONS ?? ''} ${flags}` : '';
  const env = { ...process.env, NODE_OPTIONS, SYNC_TEST_LEG: 'node24' };
  const { status, signal } = spawnSync(program, args, { cwd, env, stdio: 'inherit' });
  if (status !== 0) process.exit(signal === null ? (status ?? 1) : 1);
}
