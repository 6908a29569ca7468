import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describeControlPlane } from '../../support/each-cluster.js';
import { findBinaries, hasGo } from '../../../tools/harness/control-plane/binaries.js';
import { findCluster, startControlPlane } from '../../../tools/harness/control-plane/index.js';
import type { ControlPlane, LocalCluster } from '../../../tools/harness/control-plane/index.js';
import { RawClient } from '../../../tools/harness/raw.js';

const HERE = dirname(fileURLToPath(import.meta.url));
const NAMES = [
  'SYNC_TEST_KUBECONFIG',
  'SYNC_TEST_CONTEXT',
  'KUBEBUILDER_ASSETS',
  'XDG_CACHE_HOME',
  'PATH',
] as const;

let folder = '';
let saved: Partial<Record<(typeof NAMES)[number], string | undefined>>;

/** Every test begins on a machine that has nothing: no cache, no Go, no cluster. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-plane-test-'));
  saved = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
  await mkdir(join(folder, 'bin'));
  setEnvironment({ XDG_CACHE_HOME: join(folder, 'cache'), PATH: join(folder, 'bin') });
});

afterEach(async () => {
  setEnvironment(saved);
  await rm(folder, { recursive: true, force: true });
});

function setEnvironment(values: typeof saved): void {
  for (const name of NAMES) {
    const value = values[name];
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
}

/** Puts a program `go` onto the PATH: it notes each call, takes a while, then does `then`. */
async function fakeGo(then: string): Promise<string> {
  const calls = join(folder, 'calls');
  const script = [
    '#!/bin/sh',
    '[ "$1" = version ] && exit 0',
    `echo "$@" >> ${calls}`,
    'PATH=/usr/bin:/bin',
    'sleep 0.3',
    'while [ "$1" != -o ]; do shift; done',
    then,
  ];
  await writeFile(join(folder, 'bin/go'), script.join('\n'), { mode: 0o755 });
  return calls;
}

const cache = (): string => join(folder, 'cache/metaparticle-sync/control-plane');

describe('the programs of a control plane', () => {
  it('none: one line that says what is skipped and how to have it', async () => {
    const found = await findCluster();
    expect(found.kind).toBe('none');
    const { reason } = found as { reason: string };
    for (const word of ['skipped', 'Go', 'KUBEBUILDER_ASSETS', 'SYNC_TEST_KUBECONFIG']) {
      expect(reason).toContain(word);
    }
    expect(reason).not.toContain('\n');
  });

  it('KUBEBUILDER_ASSETS goes first, and must have them', async () => {
    process.env.KUBEBUILDER_ASSETS = folder;
    await expect(findBinaries()).rejects.toThrow('kube-apiserver is not there');
    for (const name of ['kube-apiserver', 'etcd']) await writeFile(join(folder, name), '');
    expect(await findBinaries()).toMatchObject({
      source: 'KUBEBUILDER_ASSETS',
      apiserver: join(folder, 'kube-apiserver'),
      certificate: undefined,
    });
    await fakeGo('touch "$2/certificate"');
    expect(existsSync((await findBinaries())?.certificate ?? '')).toBe(true);
  });

  it('are built once, by the first process, and found afterwards', async () => {
    const calls = await fakeGo('touch "$2/kube-apiserver" "$2/server" "$2/certificate"');
    const [first] = await Promise.all([findBinaries(), findBinaries(), findBinaries()]);
    expect(first?.source).toBe('build');
    expect(existsSync(first?.apiserver ?? '')).toBe(true);
    expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(1);
    expect(await readdir(cache())).toHaveLength(1);
    expect(await findBinaries()).toMatchObject({ ...first, source: 'cache' });
  });

  it('a build that fails says why and leaves nothing', async () => {
    await fakeGo('echo no space left >&2; touch "$2/server"; exit 1');
    await expect(findBinaries()).rejects.toThrow('no space left');
    expect(await readdir(cache())).toEqual([]);
  });

  it('a build that was killed is in the way of no other', async () => {
    await fakeGo('touch "$2/kube-apiserver"');
    const { apiserver } = (await findBinaries()) ?? { apiserver: '' };
    const target = dirname(apiserver);
    await rm(target, { recursive: true });
    await mkdir(`${target}.building-abc`);
    const ended = spawn(process.execPath, ['-e', '']);
    await once(ended, 'exit');
    await writeFile(`${target}.lock`, String(ended.pid));
    expect(await findBinaries()).toMatchObject({ apiserver });
    expect(await readdir(cache())).toHaveLength(1);
  });
});

describeControlPlane('a control plane', (own) => {
  const clients: RawClient[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  function connect(plane: LocalCluster, tls: object, token?: string): RawClient {
    const headers: Record<string, string> = {};
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const ca = readFileSync(plane.caFile);
    const client = new RawClient({ server: plane.server, headers, tls: { ca, ...tls } });
    clients.push(client);
    return client;
  }

  const admin = (): RawClient => connect(own(), {}, own().adminToken);

  async function whoIs(client: RawClient): Promise<unknown> {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const { body } = await client.request('POST', path, {});
    return body['status'];
  }

  it('knows an administrator, users without rights, and a client certificate', async () => {
    const plane = own();
    expect(await whoIs(admin())).toMatchObject({ userInfo: { username: 'admin' } });
    const restricted = connect(plane, {}, plane.tokens['restricted-1']);
    expect(await whoIs(restricted)).toMatchObject({ userInfo: { username: 'restricted-1' } });
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    expect(await restricted.request('GET', leases)).toMatchObject({ status: 403 });
    if (plane.clientCertificate === undefined) {
      expect(hasGo()).toBe(false);
      return;
    }
    const { cert, key } = plane.clientCertificate;
    const tls = { cert: readFileSync(cert), key: readFileSync(key) };
    expect(await whoIs(connect(plane, tls))).toMatchObject({
      userInfo: { username: 'cert-user', groups: ['system:masters', 'system:authenticated'] },
    });
  });

  it('answers nothing while paused, and what was asked meanwhile afterwards', async () => {
    own().pause();
    const answer = admin().request('GET', '/version');
    expect(await Promise.race([answer, sleep(500, 'silent')])).toBe('silent');
    own().resume();
    expect(await answer).toMatchObject({ status: 200 });
  });

  it.each(['apiserver', 'etcd'] as const)(
    '%s restarts with its data and address',
    async (program) => {
      const { server, pids } = own();
      const name = `kept-${program}`;
      const path = '/api/v1/namespaces';
      expect(await admin().request('POST', path, { metadata: { name } })).toMatchObject({
        status: 201,
      });
      await own().restart(program);
      expect(own().server).toBe(server);
      expect(own().pids[program]).not.toBe(pids[program]);
      expect(await admin().request('GET', `${path}/${name}`)).toMatchObject({ status: 200 });
    },
  );

  it('can be named by SYNC_TEST_KUBECONFIG, with a context of it', async () => {
    const config = new KubeConfig();
    config.loadFromFile(own().kubeConfigFile);
    const broken = { name: 'broken', cluster: 'nowhere', user: 'admin' };
    config.contexts = [...config.contexts, broken];
    config.setCurrentContext('broken');
    process.env.SYNC_TEST_KUBECONFIG = join(folder, 'kubeconfig');
    await writeFile(process.env.SYNC_TEST_KUBECONFIG, config.exportConfig());
    await expect(findCluster()).rejects.toThrow('names no cluster');
    process.env.SYNC_TEST_CONTEXT = 'test';
    const { server, version } = own();
    const found = await findCluster();
    expect(found).toMatchObject({ kind: 'named', server, version });
    const { kubeConfigFile } = found as { kubeConfigFile: string };
    const again = new KubeConfig();
    again.loadFromFile(kubeConfigFile);
    expect(again.getCurrentContext()).toBe('test');
    // It goes with its process, of whose end Jest tells nothing in here.
    await rm(dirname(kubeConfigFile), { recursive: true });
  });

  it('starts from KUBEBUILDER_ASSETS too, and stops without a trace', async () => {
    setEnvironment({ ...saved, KUBEBUILDER_ASSETS: undefined });
    const binaries = await findBinaries();
    await symlink(binaries?.apiserver ?? '', join(folder, 'kube-apiserver'));
    await symlink(binaries?.etcd ?? '', join(folder, 'etcd'));
    process.env.KUBEBUILDER_ASSETS = folder;
    const plane = (await startControlPlane()) as ControlPlane;
    const { source, pids, kubeConfigFile } = plane.toJSON();
    expect({ source, version: plane.version }).toEqual({
      source: 'KUBEBUILDER_ASSETS',
      version: own().version,
    });
    plane.pause();
    await plane.stop();
    await plane.stop();
    expectGone(pids, kubeConfigFile);
  });

  it('ends with the process that started it, however that ends', async () => {
    setEnvironment(saved);
    const script =
      `const { startControlPlane } = await import('../../../tools/harness/control-plane/index.ts');` +
      `console.log(JSON.stringify(await startControlPlane())); setInterval(() => {}, 1000);`;
    const args = ['--import', '../../../tools/loader.js', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, { cwd: HERE, stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { pids, kubeConfigFile } = JSON.parse(line) as LocalCluster;
    expect(existsSync(kubeConfigFile)).toBe(true);
    child.kill('SIGKILL');
    // A process that was killed takes its time to be gone.
    const isLeft = (): boolean => existsSync(kubeConfigFile) || Object.values(pids).some(isRunning);
    const end = performance.now() + 60_000;
    while (isLeft() && performance.now() < end) await sleep(100);
    expectGone(pids, kubeConfigFile);
  });

  function expectGone(pids: LocalCluster['pids'], file: string): void {
    for (const pid of Object.values(pids)) expect(isRunning(pid)).toBe(false);
    expect(existsSync(dirname(file))).toBe(false);
  }
});

/** A zombie has ended, even if its parent has not asked how. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !readFileSync(stat, 'utf8').includes(') Z ');
}
