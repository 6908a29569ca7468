// Faults by others who write to Leases.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../../tools/harness/processes/time.js';
import type { Fault } from './fault.js';
import type { NodeGroup } from './nodes.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

function pathOf({ options }: NodeGroup, lease: string): string {
  return `${options.cluster.leases}/${lease.split('/')[1] ?? ''}`;
}

async function hammer(group: NodeGroup, patch: (n: number) => object): Promise<void> {
  const { request } = group.options.cluster;
  const end = now() + group.options.timings.leaseDurationMs;
  for (let n = 0; now() < end; n++) {
    await request('PATCH', pathOf(group, group.kept), patch(n), MERGE);
    // Now and then faster than a request takes. Without any pause no other write would get through.
    await sleep(group.between(0, 40));
  }
}

export const outsiderFaults: readonly Fault[] = [
  {
    name: 'Lease deleted',
    quick: true,
    inject: async (group) => {
      group.noteOutsider(group.kept, 'deleted');
      await group.options.cluster.request('DELETE', pathOf(group, group.kept));
      return { leases: [group.kept] };
    },
  },
  {
    name: 'Lease deleted and recreated',
    inject: async (group) => {
      const { request, leases } = group.options.cluster;
      group.noteOutsider(group.led, 'deleted and recreated');
      await request('DELETE', pathOf(group, group.led));
      const metadata = { name: group.led.split('/')[1] };
      await request('POST', leases, { metadata, spec: { holderIdentity: '' } });
      return { leases: [group.led] };
    },
  },
  {
    name: 'Lease overwritten with an empty holder',
    inject: async (group) => {
      group.noteOutsider(group.kept, 'vacated by a stranger');
      const patch = { spec: { holderIdentity: '' } };
      const path = pathOf(group, group.kept);
      await group.options.cluster.request('PATCH', path, patch, MERGE);
      return { leases: [group.kept] };
    },
  },
  {
    name: 'Lease annotated in a tight loop',
    quick: true,
    inject: async (group) => {
      await hammer(group, (n) => ({ metadata: { annotations: { 'example.com/n': `${n}` } } }));
      return {};
    },
  },
  {
    name: 'Lease labeled in a tight loop',
    inject: async (group) => {
      await hammer(group, (n) => ({ metadata: { labels: { n: `${n % 10}` } } }));
      return {};
    },
  },
  {
    name: 'Lease’s spec edited in a tight loop',
    inject: async (group) => {
      await hammer(group, (n) => ({ spec: { leaseTransitions: 1_000 + (n % 10) } }));
      // What changes the spec is a sign of life, to every elector.
      return { hindersTakeover: true };
    },
  },
];
