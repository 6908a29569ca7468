// Where the demo runs: on an embedded server of its own, or on the cluster that was named.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { LeaseClient, Lock, isSyncError, type LeaseClientOptions } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { Api } from './messages.js';
import { UsageError, type NamedCluster } from './options.js';

export interface Cluster {
  readonly title: string;
  readonly api: Api;
  readonly namespace: string;
  /** Tries whether a Lease of this name can be written; throws a SyncError that says why not. */
  check(lease: string, signal: AbortSignal): Promise<void>;
  /** Deletes these Leases; resolves with those that are still there. */
  remove(leases: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openEmbedded(): Promise<Cluster> {
  const server = await startLeaseServer();
  const { token } = server.kubeConfig.getCurrentUser();
  return {
    title: `an embedded Lease server in memory, ${server.url}; no cluster is touched`,
    api: { url: server.url, token },
    namespace: 'default',
    check: () => Promise.resolve(),
    // They go with the server.
    remove: () => Promise.resolve([]),
    close: () => server.close(),
  };
}

/** How long a Lease may take to be deleted. */
const DELETE_LIMIT_MS = 5_000;

/** @throws UsageError when the file cannot be read, or has no such context */
export async function openNamed(named: NamedCluster): Promise<Cluster> {
  const { CoordinationV1Api, ApiException } = await import('@kubernetes/client-node');
  const kubeConfig = await load(named);
  const ofContext = kubeConfig.getContextObject(named.context)?.namespace;
  const namespace = named.namespace ?? ofContext ?? 'default';
  const server = kubeConfig.getCurrentCluster()?.server ?? 'no server';
  const api = kubeConfig.makeApiClient(CoordinationV1Api);
  const remove = (name: string): Promise<boolean> =>
    api.deleteNamespacedLease({ name, namespace }).then(
      () => true,
      (error: unknown) => error instanceof ApiException && error.code === 404,
    );
  return {
    title: `${server}, context ${named.context}, namespace ${namespace}`,
    api: { kubeConfigFile: named.file, context: named.context },
    namespace,
    check: (lease, signal) => check({ kubeConfig, namespace, identity: 'demo' }, lease, signal),
    remove: async (leases) => {
      const overdue = sleep(DELETE_LIMIT_MS, false, { ref: false });
      const gone = await Promise.all(leases.map((lease) => Promise.race([remove(lease), overdue])));
      return leases.filter((_, index) => gone[index] === false);
    },
    close: () => Promise.resolve(),
  };
}

async function load({ file, context }: NamedCluster): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromFile(file);
  } catch (error) {
    throw new UsageError(`--kubeconfig ${file}: ${(error as Error).message}`);
  }
  const names = kubeConfig.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    throw new UsageError(`--context ${context}: there is ${names.join(', ') || 'none'} in ${file}`);
  }
  kubeConfig.setCurrentContext(context);
  return kubeConfig;
}

async function check(
  options: LeaseClientOptions,
  lease: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const client = new LeaseClient(options);
    await new Lock(lease, { client }).tryAcquire({ signal }).finally(() => client.close());
  } catch (error) {
    // Only a namespace of the command line can be wrong.
    if (isSyncError(error, 'ERR_INVALID_OPTION')) throw new UsageError(`--${error.message}`);
    throw error;
  }
}
