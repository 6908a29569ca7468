// Faults by others who write: to Leases, to what a process may do, to what proves who it is.
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../workers/time.js';
import type { Scenario } from './scenario.js';
import { survivedMs } from './troupe.js';
import type { Troupe } from './troupe.js';

const VERBS = ['get', 'list', 'watch', 'create', 'update'] as const;
const MERGE = { 'content-type': 'application/merge-patch+json' };

function pathOf({ options }: Troupe, lease: string): string {
  return `${options.cluster.leases}/${lease.split('/')[1] ?? ''}`;
}

async function hammer(troupe: Troupe, patch: (n: number) => object): Promise<void> {
  const { request } = troupe.options.cluster;
  const end = now() + troupe.options.timings.leaseDurationMs;
  for (let n = 0; now() < end; n++) {
    await request('PATCH', pathOf(troupe, troupe.kept), patch(n), MERGE);
    await sleep(5);
  }
}

async function revoke(troupe: Troupe, ms: number): Promise<string> {
  const { identity, user } = troupe.holderOf(troupe.kept);
  await user.grant([]);
  await sleep(ms);
  await user.grant(VERBS);
  return identity;
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
    name: 'RBAC revoked and restored, longer than the lease',
    inject: async (troupe) => {
      const { leaseDurationMs } = troupe.options.timings;
      return { members: [await revoke(troupe, 1.5 * leaseDurationMs)] };
    },
  },
  {
    name: 'RBAC revoked and restored at once',
    quick: true,
    inject: async (troupe) => {
      const before = now();
      const identity = await revoke(troupe, 100);
      // Authorization takes its time to learn of either.
      const isShort = now() - before < survivedMs(troupe.options.timings);
      return isShort ? {} : { members: [identity] };
    },
  },
  {
    name: 'Token rotated',
    quick: true,
    inject: async (troupe) => {
      const { cluster } = troupe.options;
      const { user, tokenFile } = troupe.holderOf(troupe.kept);
      const account = user.name.split(':').at(-1) ?? '';
      const path = `/api/v1/namespaces/${cluster.namespace}/serviceaccounts/${account}/token`;
      const { body } = await cluster.request('POST', path, { spec: {} });
      const { token } = (body['status'] ?? {}) as { token?: string };
      if (token === undefined) throw new Error(`no token of ${user.name}`);
      await writeFile(tokenFile, token, { mode: 0o600 });
      await sleep(2 * troupe.options.timings.renewIntervalMs);
      return {};
    },
  },
  {
    name: 'Namespace deleted and made anew',
    inject: async (troupe) => {
      const { cluster } = troupe.options;
      const { name, terminate, remove } = await cluster.newNamespace();
      await terminate();
      await remove();
      // In a namespace that is not there any more: everything else goes on.
      await troupe.anyone().want({ kind: 'lock', name: 'nowhere', namespace: name });
      await sleep(1_000);
      return {};
    },
  },
];
