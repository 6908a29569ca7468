// The clusters that a suite of tests runs on: the embedded server always, a real API server when
// the global set-up of this Jest run found one. Each test file works in a namespace of its own.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KubeConfig } from '@kubernetes/client-node';
import type { LeaseServer } from '../../src/testing/index.js';
import { hasGo, sharedCluster, startControlPlane } from './control-plane/index.js';
import type { ControlPlane, LocalCluster } from './control-plane/index.js';
import type { Namespace } from './namespace.js';
import { openEmbedded, openReal } from './open.js';
import type { RawClient, RawResponse, RawWatch } from './raw.js';
import type { User } from './user.js';

export { openReal } from './open.js';

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
  /** Makes another namespace, for tests that end it. Removed with the cluster at the latest. */
  readonly newNamespace: () => Promise<Namespace>;
  /** Removes the namespaces and every connection. */
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
      suite(() => cluster ?? missing());
    });
  }
  demandReal(name);
}

/** A test of its own that fails where a real API server was asked for, could be had, and is not there. */
export function demandReal(name: string): void {
  if (process.env.SYNC_TEST_REAL !== '1') return;
  it(`${name}: a real API server took part, or none can be built here`, () => {
    expect(clusters().some(({ real }) => real) || !hasGo()).toBe(true);
  });
}

/**
 * Runs a suite on a control plane of its own, which it may pause and restart. Only where the real
 * API server of this run is ours too: elsewhere it shows as skipped, and one line says why.
 */
export function describeControlPlane(name: string, suite: (own: () => ControlPlane) => void): void {
  const found = sharedCluster();
  if (found?.kind !== 'local') {
    const why = found?.kind === 'named' ? 'a named cluster is not ours to pause' : 'there is none';
    process.stderr.write(`${name}: skipped, it needs a real API server of its own (${why})\n`);
    describe.skip(name, () => suite(() => missing()));
    return;
  }
  describe(`${name}, kube-apiserver ${found.version}`, () => {
    let plane: ControlPlane | undefined;
    beforeAll(async () => {
      const started = await startControlPlane();
      if (started.kind === 'none') throw new Error(started.reason);
      plane = started;
    }, 90_000);
    afterAll(() => plane?.stop());
    suite(() => plane ?? missing());
  });
}

function missing(): never {
  throw new Error('a cluster is there only while tests run');
}
