// A namespace that ends while a Lease in it is held.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { now } from '../../../tools/harness/processes/time.js';
import { VERBS } from './access-faults.js';
import type { Fault } from './fault.js';
import type { NodeGroup } from './nodes.js';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces';
/** A wait that does not end is a failure; nothing is judged by it. */
const HELD_LIMIT_MS = 60_000;

/** All nodes of a group may use Leases there, too. */
async function admit({ request, namespace }: Cluster, where: string): Promise<void> {
  const metadata = { name: 'groups' };
  const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: VERBS }];
  const apiGroup = 'rbac.authorization.k8s.io';
  const subjects = [{ apiGroup, kind: 'Group', name: `system:serviceaccounts:${namespace}` }];
  const roleRef = { apiGroup, kind: 'Role', name: 'groups' };
  const objects = { roles: { metadata, rules }, rolebindings: { metadata, subjects, roleRef } };
  for (const [kind, object] of Object.entries(objects)) {
    const { status, body } = await request('POST', `${RBAC}/${where}/${kind}`, object);
    // Without a controller manager they outlive their namespace.
    if (status !== 201 && status !== 409)
      throw new Error(`${kind}: ${status} ${body.message ?? ''}`);
  }
}

async function untilHeld({ options }: NodeGroup, lease: string, since: number): Promise<void> {
  const limit = now() + HELD_LIMIT_MS;
  for (;;) {
    const newest = options.commits.newest(lease);
    if (newest !== undefined && newest.at > since && newest.holder !== '') return;
    if (now() > limit) throw new Error(`${lease} was not acquired in ${HELD_LIMIT_MS} ms`);
    await sleep(50);
  }
}

export const namespaceFaults: readonly Fault[] = [
  {
    name: 'Namespace deleted and created again',
    inject: async (group) => {
      const { cluster, timings } = group.options;
      const { history } = group.context;
      const namespace = await cluster.newNamespace();
      const lease = `${namespace.name}/doomed`;
      const contenders = group.shuffled().slice(0, 2);
      return group
        .beside(lease, contenders, 'lock', async () => {
          await admit(cluster, namespace.name);
          const startedAt = now();
          await untilHeld(group, lease, startedAt);
          await namespace.terminate();
          // While the Lease is there, its term goes on.
          await sleep(1.5 * timings.leaseDurationMs);
          await history.update();
          const losses = history.lossesSince(startedAt).filter((loss) => loss.lease === lease);
          if (losses.length > 0) throw new Error(`${lease} was lost before it was deleted`);
          group.noteOutsider(lease, 'deleted with its namespace');
          await namespace.remove();
          await sleep(1_000);
          await cluster.request('POST', '/api/v1/namespaces', {
            metadata: { name: namespace.name },
          });
          await admit(cluster, namespace.name);
          await untilHeld(group, lease, now());
          return { leases: [lease] };
        })
        .finally(namespace.remove);
    },
  },
];
