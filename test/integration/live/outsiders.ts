// Faults by others who write to Leases.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../../tools/harness/processes/time.js';
import type { Scenario } from './scenario.js';
import type { Troupe } from './troupe.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

function pathOf({ options }: Troupe, lease: string): string {
  return `${options.cluster.leases}/${lease.split('/')[1] ?? ''}`;
}

async function hammer(troupe: Troupe, patch: (n: number) => object): Promise<void> {
  const { request } = troupe.options.cluster;
  const end = now() + troupe.options.timings.leaseDurationMs;
  for (let n = 0; now() < end; n++) {
    await request('PATCH', pathOf(troupe, troupe.kept), patch(n), MERGE);
    // Faster than a request takes, now and then: without any pause nobody else would ever come through.
    await sleep(troupe.between(0, 40));
  }
}

export const outsiderFaults: readonly Scenario[] = [
  {
    name: 'Lease deleted',
    quick: true,
    inject: async (troupe) => {
      troupe.noteOutsider(troupe.kept, 'deleted');
      await troupe.options.cluster.request('DELETE', pathOf(troupe, troupe.kept));
      return { leases: [troupe.kept] };
    },
  },
  {
    name: 'Lease deleted and recreated',
    inject: async (troupe) => {
      const { request, leases } = troupe.options.cluster;
      troupe.noteOutsider(troupe.led, 'deleted and recreated');
      await request('DELETE', pathOf(troupe, troupe.led));
      const metadata = { name: troupe.led.split('/')[1] };
      await request('POST', leases, { metadata, spec: { holderIdentity: '' } });
      return { leases: [troupe.led] };
    },
  },
  {
    name: 'Lease overwritten: nobody holds it',
    inject: async (troupe) => {
      troupe.noteOutsider(troupe.kept, 'vacated by a stranger');
      const patch = { spec: { holderIdentity: '' } };
      const path = pathOf(troupe, troupe.kept);
      await troupe.options.cluster.request('PATCH', path, patch, MERGE);
      return { leases: [troupe.kept] };
    },
  },
  {
    name: 'Lease annotated in a tight loop',
    quick: true,
    inject: async (troupe) => {
      await hammer(troupe, (n) => ({ metadata: { annotations: { 'example.com/n': `${n}` } } }));
      return {};
    },
  },
  {
    name: 'Lease labeled in a tight loop',
    inject: async (troupe) => {
      await hammer(troupe, (n) => ({ metadata: { labels: { n: `${n % 10}` } } }));
      return {};
    },
  },
  {
    name: 'Lease’s spec edited in a tight loop',
    inject: async (troupe) => {
      await hammer(troupe, (n) => ({ spec: { leaseTransitions: 1_000 + (n % 10) } }));
      // What changes the spec is a sign of life, to every elector.
      return { hindersTakeover: true };
    },
  },
];
