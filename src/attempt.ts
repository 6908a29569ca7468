import { randomBytes } from 'node:crypto';
import { hostOf, type LeaseClient } from './client.js';
import type { Attempt } from './lease/host.js';
import type { Terms } from './lease/protocol/state.js';
import type { Connection } from './lease/store.js';
import type { LeaseView } from './lease/view.js';
import type { Wait } from './lease/wait.js';
import type { ResolvedOptions } from './options.js';

/** From options and a name to the lease that they mean, over a connection that is opened on first use. */
export async function enter(
  client: LeaseClient,
  options: ResolvedOptions,
  name: string,
  wait: Wait,
): Promise<{ connection: Connection; view: LeaseView }> {
  const host = hostOf(client);
  const connection = await wait.race(host.connect());
  const { namespace = client.namespace ?? connection.defaultNamespace } = options;
  return { connection, view: host.view({ namespace, name }, connection) };
}

/** One attempt at a lease, with a nonce of its own. */
export function attemptOf(
  options: ResolvedOptions,
  client: LeaseClient,
  aim: Terms['aim'],
): Attempt {
  const { labels, annotations, ownerReferences, keepProcessAlive } = options;
  const { marginMs, renewIntervalMs, trustServerClock, deleteOnRelease } = options;
  return {
    keepProcessAlive,
    decoration: {
      labels,
      annotations,
      ownerReferences: ownerReferences.map((one) => ({ ...one })),
    },
    terms: {
      identity: options.identity ?? client.identity,
      nonce: randomBytes(12).toString('base64url'),
      durationMs: options.leaseDurationMs,
      ...{ marginMs, renewIntervalMs, trustServerClock, deleteOnRelease, aim },
    },
  };
}
