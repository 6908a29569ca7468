// The clusters that a suite of tests runs on: the embedded server always, a real API server when
// the global set-up of this Jest run found one. Each test file works in a namespace of its own.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeaseServer } from '../../src/testing/index.js';
import { hasGo, sharedCluster } from './control-plane.js';
import type { LocalCluster, NamedCluster } from './control-plane.js';
import { RawClient } from './raw.js';
import type { Json, RawResponse, RawTarget, RawWatch } from './raw.js';
import { embeddedUser, realUser } from './user.js';
import type { User } from './user.js';

/** What a test needs to work on a cluster, in a namespace that nobody else uses. */
export interface Cluster {
  readonly real: boolean;
  /** `embedded`, or the version of the real API server. */
  readonly version: string;
  readonly server: string;
  readonly namespace: string;
  /** For child processes: its current context names the server, the user and the namespace. */
  readonly kubeConfigFile: string;
  /** The same, loaded. */
  readonly kubeConfig: KubeConfig;
  /** `/apis/coordination.k8s.io/v1/namespaces/NAMESPACE/leases` */
  readonly leases: string;
  /** A control plane of ours, shared with other test files: never pause or restart it. */
  readonly controlPlane: LocalCluster | undefined;
  /** The embedded server with its faults. */
  readonly embedded: LeaseServer | undefined;
  readonly request: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<RawResponse>;
  readonly watch: (path: string) => Promise<RawWatch>;
  /** A client of the same server that proves itself by another token, or by none. */
  readonly clientWith: (token: string | undefined) => RawClient;
  /** Makes somebody who has no right in the namespace yet. */
  readonly newUser: () => Promise<User>;
  /** Removes the namespace and every connection. */
  readonly close: () => Promise<void>;
}

/** What opens a cluster for one test file. */
export interface ClusterKind {
  /** For the titles of tests: `embedded server` or `kube-apiserver v1.36.3`. */
  readonly title: string;
  readonly real: boolean;
  readonly open: () => Promise<Cluster>;
}

/** The clusters that are there for this run. */
export function clusters(): ClusterKind[] {
  const kinds: ClusterKind[] = [{ title: 'embedded server', real: false, open: openEmbedded }];
  const found = sharedCluster();
  if (found !== undefined && found.kind !== 'none') {
    const title = `kube-apiserver ${found.version}`;
    kinds.push({ title, real: true, open: () => openReal(found) });
  }
  return kinds;
}

/**
 * Runs a suite on every cluster there is. The global set-up says in one line when no real one is;
 * where one was asked for and could have been built, its absence is a failure.
 */
export function describeEachCluster(name: string, suite: (cluster: () => Cluster) => void): void {
  for (const { title, open } of clusters()) {
    describe(`${name}, ${title}`, () => {
      let cluster: Cluster | undefined;
      beforeAll(async () => {
        cluster = await open();
      });
      afterAll(() => cluster?.close());
      suite(() => {
        if (cluster === undefined) throw new Error('a cluster is there only while tests run');
        return cluster;
      });
    });
  }
  if (process.env['SYNC_TEST_REAL'] !== '1') return;
  it(`${name}: a real API server took part, or none can be built here`, () => {
    expect(clusters().some(({ real }) => real) || !hasGo()).toBe(true);
  });
}

/** Opens an extra cluster handle on a control plane that a test started for itself. */
export async function openReal(found: NamedCluster | LocalCluster): Promise<Cluster> {
  const config = new KubeConfig();
  config.loadFromFile(found.kubeConfigFile);
  const target = await targetOf(config, found.server);
  const raw = new RawClient(target);
  const namespace = `sync-test-${randomBytes(5).toString('hex')}`;
  const path = `/api/v1/namespaces/${namespace}`;
  const made = await raw.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  if (made.status !== 201) throw new Error(`no namespace: ${JSON.stringify(made.body)}`);
  const remove = async (): Promise<void> => {
    await raw.request('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`);
    const { body } = await raw.request('DELETE', path);
    // Nothing finalizes namespaces where no controller manager runs.
    if (found.kind === 'local') await raw.request('PUT', `${path}/finalize`, unfinalized(body));
  };
  const controlPlane = found.kind === 'local' ? found : undefined;
  const base = { real: true, version: found.version, server: found.server, namespace };
  return assemble({ ...base, controlPlane, embedded: undefined }, config, target, raw, remove);
}

async function openEmbedded(): Promise<Cluster> {
  const { startLeaseServer } = await import('../../src/testing/index.js');
  const embedded = await startLeaseServer();
  const namespace = 'sync-test';
  const config = new KubeConfig();
  config.loadFromString(embedded.kubeConfigYaml({ namespace }));
  const target = await targetOf(config, embedded.url);
  const raw = new RawClient(target);
  const base = { real: false, version: 'embedded', server: embedded.url, namespace };
  const close = (): Promise<void> => embedded.close();
  return assemble({ ...base, controlPlane: undefined, embedded }, config, target, raw, close);
}

async function assemble(
  base: Pick<Cluster, 'real' | 'version' | 'server' | 'namespace' | 'controlPlane' | 'embedded'>,
  kubeConfig: KubeConfig,
  target: RawTarget,
  raw: RawClient,
  remove: () => Promise<void>,
): Promise<Cluster> {
  const current = kubeConfig.getCurrentContext();
  kubeConfig.contexts = kubeConfig.contexts.map((context) =>
    context.name === current ? { ...context, namespace: base.namespace } : context,
  );
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  const kubeConfigFile = join(folder, 'kubeconfig');
  await writeFile(kubeConfigFile, kubeConfig.exportConfig(), { mode: 0o600 });
  const others: RawClient[] = [];
  const clientWith = (token: string | undefined): RawClient => {
    const other = new RawClient(withToken(target, token));
    others.push(other);
    return other;
  };
  let users = 0;
  return {
    ...base,
    ...{ kubeConfig, kubeConfigFile },
    leases: `/apis/coordination.k8s.io/v1/namespaces/${base.namespace}/leases`,
    request: (method, path, body, headers) => raw.request(method, path, body, headers),
    watch: (path) => raw.watch(path),
    clientWith,
    newUser: async () => {
      const name = `user-${++users}`;
      if (base.embedded !== undefined) return embeddedUser(base.embedded, name);
      return realUser(raw, clientWith, base.namespace, name);
    },
    close: async () => {
      for (const other of others) other.close();
      await remove();
      raw.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The credentials of the current context, as of now: exec plugins are asked once. */
async function targetOf(config: KubeConfig, server: string): Promise<RawTarget> {
  const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = {};
  await config.applyToHTTPSOptions(options);
  const { agent: _agent, headers, ...tls } = options;
  return { server, headers: (headers as Record<string, string> | undefined) ?? {}, tls };
}

function withToken({ server, tls }: RawTarget, token: string | undefined): RawTarget {
  const { cert: _cert, key: _key, pfx: _pfx, ...anonymous } = tls ?? {};
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { server, headers, tls: anonymous };
}

function unfinalized(namespace: Json): Json {
  return { ...namespace, spec: { ...(namespace['spec'] as object), finalizers: [] } };
}
