// Every way in which a kubeconfig can prove who it is, and the ways that lead to an API server.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import type { Cluster as ClusterEntry, User as UserEntry } from '@kubernetes/client-node';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/lease/clock.js';
import { connect } from '../../../src/lease/kube/connect.js';
import type { KubeConfigLike } from '../../../src/lease/kube/connect.js';
import type { Connection, ReadOutcome } from '../../../src/lease/store.js';
import { ConnectProxy } from '../../support/connect-proxy.js';
import { WatchRecorder } from '../../support/watch-recorder.js';
import { FreezingProxy } from '../../support/freezing-proxy.js';
import { until } from '../../support/until.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import { clusters } from '../../../tools/harness/cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { sharedCluster } from '../../../tools/harness/control-plane/index.js';

const opened: Connection[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-'));
});

afterEach(() => {
  jest.useRealTimers();
  for (const connection of opened.splice(0)) connection.close();
});

afterAll(() => rm(folder, { recursive: true }));

/** The cluster of the tests, seen by a user of one's own making. */
function configOf(
  { kubeConfig, namespace }: Cluster,
  user: Partial<UserEntry>,
  changes: Partial<ClusterEntry> = {},
): KubeConfig {
  const current = kubeConfig.getCurrentCluster();
  if (current === null) throw new Error('no current cluster');
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ ...current, ...changes }, { name: 'u', ...user });
  config.contexts = config.contexts.map((context) => ({ ...context, namespace }));
  return config;
}

async function open(kubeConfig: KubeConfigLike): Promise<Connection> {
  const connection = await connect({
    kubeConfig,
    clock: systemClock,
    random: Math.random,
    warn: () => undefined,
  });
  opened.push(connection);
  return connection;
}

function read({ store, defaultNamespace }: Connection): Promise<ReadOutcome> {
  const deadline = systemClock.now().monotonic + 5000;
  return store.read({ namespace: defaultNamespace, name: 'x' }, { deadline, limitMs: 5000 });
}

/** Opens, reads a lease that is not there, and watches it. */
async function worksWith(kubeConfig: KubeConfigLike): Promise<Connection> {
  const connection = await open(kubeConfig);
  expect(await read(connection)).toEqual({ kind: 'missing' });
  const listener = new WatchRecorder();
  connection.watch.subscribe({ namespace: connection.defaultNamespace, name: 'x' }, null, listener);
  await until('the watch is live', () => listener.isLive, 50_000);
  return connection;
}

async function someUser(cluster: Cluster): Promise<{ name: string; token: string }> {
  const user = await cluster.newUser();
  await user.grant(['get', 'watch']);
  return user;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** An exec plugin that prints the token of a file, and writes a line for every run. */
async function plugin(
  token: string,
  expiresInMs: number,
): Promise<{ file: string; exec: unknown }> {
  const file = join(await mkdtemp(join(folder, 'plugin-')), 'token');
  await writeFile(file, token);
  const code = `
    const fs = require('node:fs');
    fs.appendFileSync(process.env.TOKEN_FILE + '.runs', '.');
    const token = fs.readFileSync(process.env.TOKEN_FILE, 'utf8');
    const expirationTimestamp = new Date(Date.now() + ${expiresInMs}).toISOString();
    const apiVersion = 'client.authentication.k8s.io/v1';
    const status = { token, expirationTimestamp };
    console.log(JSON.stringify({ apiVersion, kind: 'ExecCredential', status }));`;
  const env = [{ name: 'TOKEN_FILE', value: file }];
  return { file, exec: { command: process.execPath, args: ['-e', code], env } };
}

describeEachCluster('authentication', (cluster) => {
  it('by a bearer token', async () => {
    const { token } = await someUser(cluster());
    await worksWith(configOf(cluster(), { token }));
  });

  it('by no token, or a wrong one: refused at once, with what to look at', async () => {
    const connection = await open(configOf(cluster(), { token: 'wrong' }));
    const outcome = await read(connection);
    expect(outcome).toMatchObject({ kind: 'refused', transient: false });
    expect(outcome).toMatchObject({ error: { name: 'UnauthorizedError', retryable: false } });
    expect(JSON.stringify(outcome)).not.toContain('wrong');
  });

  it('by a token that is exchanged while the connection is held', async () => {
    const first = await someUser(cluster());
    const second = await cluster().newUser();
    const proxy = await FreezingProxy.start(portOf(cluster().server));
    const server = cluster().server.replace(/:\d+$/, `:${portOf(proxy.url)}`);
    const config = configOf(cluster(), { token: first.token }, { server });
    const connection = await open(config);
    expect(await read(connection)).toEqual({ kind: 'missing' });
    config.users = [{ name: 'u', token: second.token }];
    const outcome = await read(connection);
    expect(outcome).toMatchObject({
      kind: 'refused',
      error: { name: 'ForbiddenError', verb: 'get' },
    });
    expect(outcome.kind === 'refused' && outcome.error.message).toContain(second.name);
    await second.grant(['get']);
    expect(await read(connection)).toEqual({ kind: 'missing' });
    expect(proxy.connections).toBe(1);
    await proxy.close();
  });

  it('by an exec plugin, asked once while its credential lasts', async () => {
    const { token } = await someUser(cluster());
    const { file, exec } = await plugin(token, 600_000);
    const connection = await open(configOf(cluster(), { exec }));
    await Promise.all([read(connection), read(connection)]);
    expect(await read(connection)).toEqual({ kind: 'missing' });
    expect(await readFile(`${file}.runs`, 'utf8')).toBe('.');
  });

  it('by an exec plugin whose credential has expired, asked again', async () => {
    const [first, second] = [await someUser(cluster()), await cluster().newUser()];
    const { file, exec } = await plugin(first.token, 0);
    const connection = await worksWith(configOf(cluster(), { exec }));
    await writeFile(file, second.token);
    expect(await read(connection)).toMatchObject({ error: { name: 'ForbiddenError' } });
  });

  it('by an exec plugin that fails: its words, and nothing that may be a secret', async () => {
    const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0';
    const code = `console.error('please log in: ${secret}'); process.exit(1)`;
    const exec = { command: process.execPath, args: ['-e', code] };
    const outcome = await read(await open(configOf(cluster(), { exec })));
    expect(outcome).toMatchObject({ kind: 'refused', error: { name: 'ApiUnreachableError' } });
    expect(outcome.kind === 'refused' && outcome.error.message).toContain('please log in: …');
    expect(JSON.stringify(outcome)).not.toContain(secret);
  });

  it('through the proxy of the kubeconfig, kept alive, watches apart', async () => {
    const { token } = await someUser(cluster());
    const proxy = await ConnectProxy.start();
    const connection = await worksWith(configOf(cluster(), { token }, { proxyUrl: proxy.url }));
    for (let round = 0; round < 5; round++) {
      expect(await read(connection)).toEqual({ kind: 'missing' });
    }
    expect(proxy.targets).toEqual(Array(2).fill(new URL(cluster().server).host));
    proxy.reset();
    const kinds: string[] = [];
    while (!kinds.includes('missing') && kinds.length < 5)
      kinds.push((await read(connection)).kind);
    expect(kinds).toContain('missing');
    connection.close();
    await proxy.close();
  });

  it('through a proxy that is not there: refused, nothing was sent', async () => {
    const proxyUrl = 'http://127.0.0.1:1';
    const outcome = await read(await open(configOf(cluster(), { token: 't' }, { proxyUrl })));
    expect(outcome).toMatchObject({ kind: 'refused', transient: true });
  });
});

for (const { title, open: openCluster } of clusters().filter(({ real }) => real)) {
  describe(`authentication over TLS, ${title}`, () => {
    let cluster: Cluster;

    beforeAll(async () => {
      cluster = await openCluster();
    });

    afterAll(() => cluster.close());

    const found = sharedCluster();
    const certificate = found?.kind === 'local' ? found.clientCertificate : undefined;
    if (certificate !== undefined) {
      it('by a client certificate', async () => {
        const { cert: certFile, key: keyFile } = certificate;
        await worksWith(configOf(cluster, { certFile, keyFile }));
      });

      it('by a certificate and the key of another: refused for good', async () => {
        const { cert: certFile, ca: keyFile } = certificate;
        const outcome = await read(await open(configOf(cluster, { certFile, keyFile })));
        expect(outcome).toMatchObject({ kind: 'refused', transient: false });
        expect(outcome).toMatchObject({ error: { name: 'ApiUnreachableError', retryable: false } });
      });
    }

    it('by the files of a pod, followed when they are rotated', async () => {
      const [first, second] = [await someUser(cluster), await cluster.newUser()];
      const files = await podFiles(cluster, first.token);
      const connection = await worksWith(inCluster(cluster, folder));
      expect(connection.defaultNamespace).toBe(cluster.namespace);
      await writeFile(join(files, 'token'), second.token);
      expect(await read(connection)).toEqual({ kind: 'missing' });
      jest.useFakeTimers({ now: Date.now() + 61_000, doNotFake: everythingButDate });
      expect(await read(connection)).toMatchObject({ error: { name: 'ForbiddenError' } });
    });

    it.each([
      ['no authority vouches for', { caFile: undefined, caData: undefined }],
      ['names another host', { tlsServerName: 'elsewhere.test' }],
    ])(
      'of a server whose certificate %s: refused for good, with what to check',
      async (_, change) => {
        const connection = await open(
          configOf(cluster, { token: 'secret-token' }, change as object),
        );
        const outcome = await read(connection);
        expect(outcome).toMatchObject({ kind: 'refused', transient: false });
        const error = outcome.kind === 'refused' ? outcome.error : undefined;
        expect(error).toMatchObject({ name: 'ApiUnreachableError', retryable: false });
        expect(error?.message).toContain(`${cluster.server} is not trusted`);
        expect(error?.message).toContain('certificate-authority-data');
        expect(JSON.stringify(error)).not.toContain('secret-token');
      },
    );

    it('of a server that is not to be checked, if the kubeconfig says so', async () => {
      const { token } = await someUser(cluster);
      const change = { caFile: undefined, caData: undefined, skipTLSVerify: true };
      await worksWith(configOf(cluster, { token }, change as object));
    });
  });
}

it('takes a KubeConfig of client-node as it is', () => {
  const config: KubeConfigLike = new KubeConfig();
  expect(typeof config.applyToHTTPSOptions).toBe('function');
});

const everythingButDate = [
  ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate'] as const),
  ...(['clearImmediate', 'setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
];

const SERVICE_ACCOUNT = 'var/run/secrets/kubernetes.io/serviceaccount';

async function podFiles({ kubeConfig, namespace }: Cluster, token: string): Promise<string> {
  const path = join(folder, SERVICE_ACCOUNT);
  const { caFile, caData = '' } = kubeConfig.getCurrentCluster() ?? {};
  const ca = caFile === undefined ? Buffer.from(caData, 'base64') : await readFile(caFile);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'ca.crt'), ca);
  await writeFile(join(path, 'token'), `${token}\n`);
  await writeFile(join(path, 'namespace'), `${namespace}\n`);
  return path;
}

function inCluster({ server }: Cluster, prefix: string): KubeConfig {
  const { hostname, port } = new URL(server);
  const before = { ...process.env };
  Object.assign(process.env, {
    ...{ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port || '443' },
  });
  const config = new KubeConfig();
  config.loadFromCluster(prefix);
  for (const name of ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT']) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
  return config;
}
