import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { describeEachCluster } from './cluster.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const leg = `${root}test/node24/`;
const node = `${leg}node_modules/node24/bin/node`;
const isHere = process.platform === 'linux' && process.arch === 'x64';

if (!isHere)
  process.stderr.write('second leg: skipped, its Node.js is packaged for linux-x64 only\n');

(isHere ? describe : describe.skip)('Node.js 24 and client-node 2.x', () => {
  beforeAll(async () => {
    const lock = readFileSync(`${leg}package-lock.json`, 'utf8');
    const done = `${leg}node_modules/.package-lock.json`;
    if (existsSync(done) && existsSync(node) && lock.length > 0) return;
    await run('npm', ['ci', '--prefer-offline', '--no-audit'], { cwd: leg, timeout: 110_000 });
  }, 120_000);

  it('takes their KubeConfig by its type', async () => {
    await run(`${root}node_modules/.bin/tsc`, ['-p', `${leg}tsconfig.json`], { timeout: 60_000 });
  }, 60_000);

  describeEachCluster('works', (cluster) => {
    it('with their KubeConfig', async () => {
      const env = { ...process.env, KUBECONFIG: cluster().kubeConfigFile, NODE_OPTIONS: '' };
      const args = ['--import', `${root}test/integration/loader.js`, `${leg}leg.ts`];
      const { stdout } = await run(node, args, { cwd: leg, env, timeout: 30_000 });
      expect(JSON.parse(stdout)).toEqual({
        node: expect.stringMatching(/^v24\./),
        whileHeld: null,
        released: true,
        grew: true,
        held: true,
        again: true,
      });
    }, 40_000);
  });
});
