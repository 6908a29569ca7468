import { randomBytes } from 'node:crypto';
import { hostOf, type LeaseClient } from './client.js';
import { SyncWarning } from './errors.js';
import type { Attempt, LeaseHost } from './lease/host.js';
import type { Keeper } from './lease/keeper.js';
import type { KeeperHooks } from './lease/ports.js';
import { ANNOUNCE_AFTER_MS } from './lease/protocol/announcements.js';
import type { Evicted, Terms } from './lease/protocol/state.js';
import { keyOf } from './lease/record.js';
import { holderAround } from './lease/scopes.js';
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

/**
 * `handle.signal` is aborted by a timer, and timers are late, on a busy process by tens of milliseconds.
 * Belief ends so much earlier that the margin holds for the signal too.
 */
const TIMER_LATENESS_MS = 50;

/** One attempt at a lease, with a nonce of its own. */
export function attemptOf(
  options: ResolvedOptions,
  client: LeaseClient,
  aim: Terms['aim'],
  evicts?: Evicted,
): Attempt {
  const { labels, annotations, ownerReferences, keepProcessAlive } = options;
  const { marginMs, renewIntervalMs, trustServerClock, deleteOnRelease } = options;
  const { unseenMs = 0 } = hostOf(client).clock;
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
      marginMs: marginMs + TIMER_LATENESS_MS,
      unseenMs: unseenMs + TIMER_LATENESS_MS,
      ...{ renewIntervalMs, trustServerClock, deleteOnRelease, aim },
      ...(evicts === undefined ? {} : { evicts }),
      announcementId: randomBytes(8).toString('hex'),
      announceAfterMs: aim === 'hold' && evicts === undefined ? ANNOUNCE_AFTER_MS : null,
    },
  };
}

/**
 * Warns when a wait lasts for a lease duration although the code around it holds the very lease: it then waits for
 * itself, unless it was started without being awaited.
 * @returns what is to be called when the wait is over
 */
export function noticeSelfDeadlock(
  host: LeaseHost,
  view: LeaseView,
  server: string,
  durationMs: number,
): () => void {
  const lease = keyOf(view.key);
  const holder = holderAround(lease, server);
  if (holder === undefined) return () => undefined;
  return host.clock.after(durationMs, () => {
    if (!holder.isHeld()) return;
    const message =
      `lock ${lease}: this acquisition has waited for ${durationMs} ms inside ${holder.what}, which holds the lock: ` +
      'if it is awaited there, neither ever ends. A lock is not reentrant: pass on what the holder was given';
    host.warn(new SyncWarning('SELF_DEADLOCK', message));
  });
}

/** Starts an attempt that is called off when the wait for it ends, unless it was won by then. */
export function compete(
  wait: Wait,
  start: (hooks: KeeperHooks) => Keeper,
  hooks: KeeperHooks,
): Keeper {
  const { signal } = wait;
  const callOff = (): void => keeper.stop();
  const stopWaiting = (): void => signal.removeEventListener('abort', callOff);
  const keeper = start({
    ...hooks,
    acquired: () => {
      stopWaiting();
      hooks.acquired();
    },
    ended: () => {
      stopWaiting();
      hooks.ended();
    },
  });
  signal.addEventListener('abort', callOff, { once: true });
  // It may have ended in the moment in which the turn came.
  if (signal.aborted) callOff();
  return keeper;
}
