// Faults of what a process may do, and of what proves who it is.
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { Fault } from './fault.js';
import { survivedMs } from './nodes.js';
import type { NodeGroup } from './nodes.js';

export const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch'] as const;
/** A process reads its token's file once a minute. */
const REREAD_LIMIT_MS = 75_000;
/** How long an API server may remember that a token was good. */
const REMEMBERED_MS = 12_000;

async function revoke(group: NodeGroup, ms: number): Promise<string> {
  const { identity, user } = group.holderOf(group.kept);
  try {
    await user.grant([]);
    await sleep(ms);
  } finally {
    await user.grant(VERBS);
  }
  return identity;
}

interface BoundToken {
  readonly token: string;
  /** It is no longer good, as soon as every API server knows. */
  readonly invalidate: () => Promise<void>;
}

/** Good for as long as a Secret is there. */
async function issueToken({ request, namespace }: Cluster, account: string): Promise<BoundToken> {
  const core = `/api/v1/namespaces/${namespace}`;
  const name = `${account}-${Math.round(now())}`;
  const made = await request('POST', `${core}/secrets`, { metadata: { name } });
  const { uid } = made.body.metadata;
  const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name, uid };
  const path = `${core}/serviceaccounts/${account}/token`;
  const { body } = await request('POST', path, { spec: { boundObjectRef } });
  const { token } = (body['status'] ?? {}) as { token?: string };
  if (token === undefined) throw new Error(`no token of ${account}: ${JSON.stringify(body)}`);
  const invalidate = async (): Promise<void> => {
    await request('DELETE', `${core}/secrets/${name}`);
  };
  return { token, invalidate };
}

export const accessFaults: readonly Fault[] = [
  {
    name: 'RBAC revoked and restored, longer than the lease',
    inject: async (group) => {
      const { leaseDurationMs } = group.options.timings;
      const identity = await revoke(group, 1.5 * leaseDurationMs);
      // Until its watch is tried again it polls: for about as long as it was refused.
      await sleep(1.5 * leaseDurationMs);
      return { nodes: [identity] };
    },
  },
  {
    name: 'RBAC revoked and restored at once',
    quick: true,
    inject: async (group) => {
      const before = now();
      const identity = await revoke(group, 100);
      // Authorization takes its time to learn of either.
      const isShort = now() - before < survivedMs(group.options.timings);
      return isShort ? {} : { nodes: [identity] };
    },
  },
  {
    name: 'Token rotated twice, the first one invalidated',
    inject: async (group) => {
      const node = group.holderOf(group.kept);
      const { user, proxy, tokenFile } = node;
      const account = user.name.split(':').at(-1) ?? '';
      const rotate = async (): Promise<BoundToken> => {
        const bound = await issueToken(group.options.cluster, account);
        await writeFile(tokenFile, bound.token, { mode: 0o600 });
        const limit = now() + REREAD_LIMIT_MS;
        while (proxy.lastAuthorization !== `Bearer ${bound.token}`) {
          if (now() > limit) throw new Error(`${node.identity} did not take its new token`);
          await sleep(100);
        }
        return bound;
      };
      const first = await rotate();
      await rotate();
      await first.invalidate();
      await sleep(REMEMBERED_MS);
      return {};
    },
  },
];
