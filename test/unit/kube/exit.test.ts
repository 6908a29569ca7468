import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';
import { ConnectProxy } from './support/connect-proxy.js';

let server: LeaseServer;
let folder: string;

beforeEach(async () => {
  server = await startLeaseServer();
  server.faults.hang({ match: { verb: 'get', name: 'never-answered' } });
  folder = await mkdtemp(join(tmpdir(), 'exit-'));
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Runs the idle process to its end, which comes by itself or by the time limit. */
async function run(kubeConfig: string): Promise<string> {
  const file = join(folder, 'kubeconfig');
  await writeFile(file, kubeConfig);
  const args = ['--import', './tools/loader.js', 'test/unit/kube/support/idle.ts', file];
  const options = { timeout: 15_000, env: { ...process.env, NODE_OPTIONS: '' } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout;
}

it('connections, watches, requests under way and timers keep no process alive', async () => {
  expect(await run(server.kubeConfigYaml())).toBe('missing\nlive\n');
}, 20_000);

it('nor do connections through a proxy', async () => {
  const proxy = await ConnectProxy.start();
  const text = server
    .kubeConfigYaml()
    .replace('cluster: { ', `cluster: { proxy-url: ${proxy.url}, `);
  expect(await run(text)).toBe('missing\nlive\n');
  expect(proxy.targets.length).toBeGreaterThanOrEqual(2);
  await proxy.close();
}, 20_000);
