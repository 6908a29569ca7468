// The cluster that tests and measurements run on: a real API server when the global set-up of this Jest run found
// one, else the embedded server. Each test file works in a namespace of its own.
import type { KubeConfig } from '@kubernetes/client-node';
import type { LeaseServer } from '../../src/testing/index.js';
import { sharedCluster } from './control-plane/index.js';
import type { LocalCluster } from './control-plane/index.js';
import type { Namespace } from './namespace.js';
import { openEmbedded, openReal } from './open.js';
import type { RawClient, RawResponse, RawWatch } from './raw.js';
import type { User } from './user.js';

export { openReal } from './open.js';

/** What a test needs to work on a cluster, in a namespace of its own. */
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
  /** Makes a user that has no right in the namespace yet. */
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

/** What this run is on: a real API server where it was asked for and is there, else the embedded server. */
export function clusters(): ClusterKind[] {
  const found = sharedCluster();
  if (found === undefined || found.kind === 'none') {
    return [{ title: 'embedded server', real: false, open: openEmbedded }];
  }
  const title = `kube-apiserver ${found.version}`;
  return [{ title, real: true, open: () => openReal(found) }];
}
