// A real kube-apiserver with etcd for tests, on any machine with Go. `findCluster()` is the whole
// choice: the cluster named by SYNC_TEST_KUBECONFIG, else a control plane of our own.
import { areBinariesAtHand, findBinaries } from './binaries.js';
import { ControlPlane } from './plane.js';
import type { LocalCluster } from './prepare.js';

export { hasGo } from './binaries.js';
export { ControlPlane } from './plane.js';
export type { LocalCluster, Program } from './prepare.js';

/** A cluster that was named for tests. It is left running and nothing is known of its inside. */
export interface NamedCluster {
  readonly kind: 'named';
  readonly version: string;
  readonly server: string;
  readonly kubeConfigFile: string;
}

/** No real API server can be had on this machine. */
export interface NoCluster {
  readonly kind: 'none';
  /** One line: what is skipped, and how to have it. */
  readonly reason: string;
}

export type FoundCluster = NamedCluster | LocalCluster | NoCluster;

/**
 * The cluster to test on, in this order: the one named by SYNC_TEST_KUBECONFIG (and
 * SYNC_TEST_CONTEXT), a control plane of our own, none. Our own one is started here: stop it.
 * Throws when what was named does not answer, and when a build or a start fails.
 *
 * @param mayBuild whether its programs may be built, which takes minutes
 */
export async function findCluster(
  mayBuild = true,
): Promise<NamedCluster | ControlPlane | NoCluster> {
  const file = namedFile();
  if (file === undefined) return startControlPlane({ mayBuild });
  const { openNamedCluster } = await import('./named.js');
  return openNamedCluster(file, process.env.SYNC_TEST_CONTEXT);
}

/** Whether `findCluster` finds one without a build. */
export function isClusterAtHand(): boolean {
  return isClusterNamed() || areBinariesAtHand();
}

/** Whether `findCluster` takes the cluster that SYNC_TEST_KUBECONFIG names. */
export function isClusterNamed(): boolean {
  return namedFile() !== undefined;
}

function namedFile(): string | undefined {
  const file = process.env.SYNC_TEST_KUBECONFIG;
  return file === '' ? undefined : file;
}

export interface ControlPlaneOptions {
  /** Whether its programs may be built. Default: true. */
  readonly mayBuild?: boolean;
  /** Further flags, e.g. `--feature-gates=…`. */
  readonly apiserverArgs?: readonly string[];
}

/**
 * Starts etcd and kube-apiserver on free loopback ports, ready to use. One start takes about three
 * seconds; the first one ever on a machine builds the programs for minutes. For tests that pause
 * or restart it: those that only use it share one (see `sharedCluster`).
 */
export async function startControlPlane(
  options: ControlPlaneOptions = {},
): Promise<ControlPlane | NoCluster> {
  const binaries = await findBinaries(options.mayBuild);
  if (binaries === undefined) {
    const remedy = 'install Go, set KUBEBUILDER_ASSETS, or name a cluster by SYNC_TEST_KUBECONFIG';
    return { kind: 'none', reason: `real API server: skipped, there is none here (${remedy})` };
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await ControlPlane.start(binaries, options.apiserverArgs);
    } catch (error) {
      const portTaken = error instanceof Error && error.message.includes('address already in use');
      if (!portTaken || attempt === 3) throw error;
    }
  }
}

/** The environment variable with the `FoundCluster` that all test files of a run share, as JSON. */
export const SHARED_CLUSTER = 'SYNC_TEST_CLUSTER';

/** The cluster that the global set-up of this Jest run found; undefined without a set-up. */
export function sharedCluster(): FoundCluster | undefined {
  const text = process.env[SHARED_CLUSTER];
  return text === undefined ? undefined : (JSON.parse(text) as FoundCluster);
}
