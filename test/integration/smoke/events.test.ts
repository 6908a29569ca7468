// Kubernetes Events of an election, and that nothing hangs on them.
import { expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { Election, LeaseClient } from '@metaparticle/sync';
import type { SyncWarning } from '@metaparticle/sync';
import { until } from '../../support/promises.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { Json } from '../../../tools/harness/raw.js';

interface EventObject extends Json {
  readonly message: string;
  readonly involvedObject: Json;
}

/** Leads once, as `identity`, until `run` is asked to end. */
async function leadOnce(client: LeaseClient, name: string): Promise<void> {
  const stop = new AbortController();
  const election = new Election(name, {
    ...{ client, recordEvents: true },
    onStartedLeading: () => undefined,
  });
  const running = election.run({ signal: stop.signal });
  await until('a leader', () => election.isLeader(), 50_000);
  stop.abort();
  await running;
}

async function eventsOf(cluster: Cluster, name: string): Promise<EventObject[]> {
  const selector = `fieldSelector=involvedObject.kind%3DLease,involvedObject.name%3D${name}`;
  const path = `/api/v1/namespaces/${cluster.namespace}/events?${selector}`;
  const { body } = await cluster.request('GET', path);
  return (body.items ?? []) as unknown as EventObject[];
}

describeEachCluster('recordEvents', (cluster) => {
  it('tells who became leader and who stopped leading, about the very Lease', async () => {
    const { kubeConfig, namespace } = cluster();
    await using client = new LeaseClient({ kubeConfig, namespace, identity: 'pod-1' });
    await leadOnce(client, 'told');
    const lease = await cluster().request('GET', `${cluster().leases}/told`);
    expect(lease.body.spec?.['holderIdentity']).toBe('');
    if (!cluster().real) return;
    const events = await eventsOf(cluster(), 'told');
    const messages = events.map(({ message }) => message);
    expect(messages.sort()).toEqual(['pod-1 became leader', 'pod-1 stopped leading']);
    for (const event of events) {
      expect(event).toMatchObject({
        ...{ type: 'Normal', reason: 'LeaderElection', count: 1 },
        source: { component: 'pod-1' },
        involvedObject: {
          ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', name: 'told', namespace },
          uid: lease.body.metadata.uid,
        },
      });
    }
  });

  it('is silent where Events are not allowed: the election goes on as without them', async () => {
    const user = await cluster().newUser();
    await user.grant(['get', 'watch', 'create', 'update']);
    const current = cluster().kubeConfig.getCurrentCluster();
    if (current === null) throw new Error('no current cluster');
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser(current, { name: 'user', token: user.token });
    const warnings: SyncWarning[] = [];
    const onWarning = (warning: SyncWarning): void => void warnings.push(warning);
    const { namespace } = cluster();
    await using client = new LeaseClient({ kubeConfig, namespace, identity: 'pod-2', onWarning });
    await leadOnce(client, 'untold');
    expect(warnings).toEqual([]);
    if (cluster().real) expect(await eventsOf(cluster(), 'untold')).toEqual([]);
  });

  it('is off unless it is asked for', async () => {
    if (!cluster().real) return;
    const { kubeConfig, namespace } = cluster();
    await using client = new LeaseClient({ kubeConfig, namespace, identity: 'pod-3' });
    const election = new Election('quiet', { client, onStartedLeading: () => undefined });
    const stop = new AbortController();
    const running = election.run({ signal: stop.signal });
    await until('a leader', () => election.isLeader(), 50_000);
    stop.abort();
    await running;
    expect(await eventsOf(cluster(), 'quiet')).toEqual([]);
  });
});
