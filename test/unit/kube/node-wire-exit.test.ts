// Sockets, watches and timers of the library keep no process alive: only a real process can show it.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';
import { ConnectProxy } from '../../support/connect-proxy.js';

/** A process that is kept alive never ends; one that a busy machine starts slowly does. */
const EXIT_LIMIT_MS = 120_000;

let server: LeaseServer;
let proxy: ConnectProxy;
let folder: string;
let over: AbortController;

beforeEach(async () => {
  server = await startLeaseServer();
  server.faults.hang({ match: { verb: 'get', name: 'never-answered' } });
  proxy = await ConnectProxy.start();
  folder = await mkdtemp(join(tmpdir(), 'exit-'));
  over = new AbortController();
});

afterEach(async () => {
  over.abort();
  await proxy.close();
  await server.close();
  await rm(folder, { recursive: true });
});

/** Runs a process that uses these clusters and closes nothing, until it ends by itself. */
async function run(...kubeConfigs: readonly string[]): Promise<string> {
  const files = kubeConfigs.map((_, index) => join(folder, `kubeconfig-${index}`));
  await Promise.all(files.map((file, index) => writeFile(file, kubeConfigs[index] ?? '')));
  const args = ['--import', './tools/loader.js', 'test/unit/kube/support/idle.ts', ...files];
  const options = { signal: over.signal, env: { ...process.env, NODE_OPTIONS: '' } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout;
}

it(
  'connections, watches, requests under way and timers keep no process alive, through a proxy neither',
  async () => {
    const direct = server.kubeConfigYaml();
    const proxied = direct.replace('cluster: { ', `cluster: { proxy-url: ${proxy.url}, `);
    expect(await run(direct, proxied)).toBe('missing\nlive\nmissing\nlive\n');
    expect(proxy.targets.length).toBeGreaterThanOrEqual(2);
  },
  EXIT_LIMIT_MS,
);
