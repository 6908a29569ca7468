// What client-node is not loaded for: it takes 0.6 s of processor time and 60 MB, 6 s in a pod of a tenth of a CPU.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';

let api: LeaseServer;
let folder: string;

beforeAll(async () => {
  api = await startLeaseServer();
  folder = await mkdtemp(join(tmpdir(), 'imports-'));
});

afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true });
});

/** Runs a process in which every import of client-node fails. */
async function run(args: readonly string[], env: Record<string, string>): Promise<string> {
  const program = 'test/unit/kube/support/without-client-node.ts';
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', './tools/loader.js', program, ...args],
    { timeout: 30_000, env: { ...process.env, NODE_OPTIONS: '', HOME: folder, ...env } },
  );
  return stdout;
}

async function runWith(kubeConfig: string): Promise<string> {
  const file = join(await mkdtemp(join(folder, 'config-')), 'config');
  await writeFile(file, kubeConfig);
  return run([], { KUBECONFIG: file });
}

function json(user: object, cluster: object = {}): string {
  const server = { server: api.url, 'insecure-skip-tls-verify': true };
  return JSON.stringify({
    clusters: [{ name: 'c', cluster: { ...server, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

describe('a lock is taken without client-node', () => {
  it('by a kubeconfig in YAML', async () => {
    expect(await runWith(api.kubeConfigYaml())).toBe('held');
  });

  it('by a kubeconfig in JSON, with a token file', async () => {
    const token = join(folder, 'token');
    await writeFile(token, api.kubeConfig.getCurrentUser().token);
    expect(await runWith(json({ tokenFile: token }))).toBe('held');
  });

  it('by the service account of a pod', async () => {
    const account = join(folder, 'var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(account, { recursive: true });
    await writeFile(join(account, 'token'), 't\n');
    await writeFile(join(account, 'ca.crt'), 'CA');
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const result = await run(['pod', folder], { KUBECONFIG: '', ...env });
    expect(JSON.parse(result)).toEqual(['https://[fd00::1]:443', { Authorization: 'Bearer t' }]);
  });
});

describe('client-node is loaded', () => {
  const failure = expect.stringContaining('client-node was imported');

  it.each<[string, object, object]>([
    ['an exec plugin', { exec: { command: 'aws' } }, {}],
    ['an auth provider', { 'auth-provider': { name: 'oidc' } }, {}],
    ['a proxy', {}, { 'proxy-url': 'http://127.0.0.1:1' }],
  ])('for %s', async (_, user, cluster) => {
    expect(await runWith(json(user, cluster))).toEqual(failure);
  });
});
