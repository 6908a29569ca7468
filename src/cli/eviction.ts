import { attemptOf, compete } from '../attempt.js';
import { hostOf, type LeaseClient } from '../client.js';
import { ApiUnreachableError } from '../errors.js';
import type { Keeper } from '../lease/keeper.js';
import type { Evicted } from '../lease/protocol/state.js';
import { isVacant, type Lease } from '../lease/record.js';
import type { LeaseView } from '../lease/view.js';
import { Wait } from '../lease/wait.js';
import { resolveOptions } from '../options.js';
import type { Cluster } from './cluster.js';

/** An API server that does not answer for so long is unreachable: a person waits. */
const LIMIT_MS = 5_000;

/** It is held here now; `evicted` is the record that was replaced. */
export interface Taken {
  readonly isTaken: true;
  readonly keeper: Keeper;
  readonly evicted: Lease;
}

/** `lease` is what was found in the place of that term. */
export type Eviction = Taken | { readonly isTaken: false; readonly lease: Lease | null };

/**
 * Takes a lease from the term that is named, by compare-and-swap, and holds it from then on: an attempt of the library
 * as any other, which only does not wait for the term to run out.
 *
 * @param signal calls it off
 * @throws the reason of the signal; ApiUnreachableError; what refuses it
 */
export async function evict(
  { client, namespace }: Cluster,
  name: string,
  evicts: Evicted,
  signal: AbortSignal,
): Promise<Eviction> {
  const host = hostOf(client);
  const wait = new Wait(host.clock, [signal], Infinity);
  // From the win on, the term does that.
  const letGo = host.keepAlive();
  try {
    return await evictWithin(wait, { client, namespace, name, evicts });
  } finally {
    wait.done();
    letGo();
  }
}

interface Target {
  readonly client: LeaseClient;
  readonly namespace: string;
  readonly name: string;
  readonly evicts: Evicted;
}

async function evictWithin(wait: Wait, target: Target): Promise<Eviction> {
  const { client, namespace, name, evicts } = target;
  const host = hostOf(client);
  const connection = await wait.race(host.connect());
  const view = host.view({ namespace, name }, connection);
  const attempt = attemptOf(resolveOptions({}), client, 'try', evicts);
  const seen = lastHolderBefore(view, attempt.terms.nonce);
  wait.limit(LIMIT_MS);
  let keeper: Keeper | undefined;
  try {
    const gaveWay = await wait.race(
      new Promise<{ readonly to: Lease | null } | null>((resolve, reject) => {
        keeper = compete(wait, (hooks) => host.attempt(view, connection, attempt, hooks), {
          acquired: () => resolve(null),
          failed: reject,
          busy: (lease) => resolve({ to: lease }),
          ended: () => undefined,
        });
      }),
    );
    if (gaveWay !== null) return { isTaken: false, lease: gaveWay.to };
    const { lease: evicted } = seen;
    if (keeper === undefined || evicted === null) throw new TypeError('nothing was evicted');
    return { isTaken: true, keeper, evicted };
  } catch (error) {
    if (!wait.isTimedOut) throw error;
    const isUnknown = view.sight.kind === 'unknown';
    const why = isUnknown ? 'no answer yet' : 'the lease changes faster than it can be taken';
    const told = keeper?.lastFailure?.message ?? why;
    const message = `${namespace}/${name} could not be taken within ${LIMIT_MS} ms: ${told}`;
    throw new ApiUnreachableError(message, connection.server, { cause: keeper?.lastFailure });
  } finally {
    seen.leave();
  }
}

/** The record that a claim replaced: by compare-and-swap, it is the last one that was seen before. */
function lastHolderBefore(view: LeaseView, nonce: string) {
  const seen: { lease: Lease | null; leave: () => void } = { lease: null, leave: () => undefined };
  const look = (): void => {
    if (view.sight.kind !== 'present') return;
    const { lease } = view.sight;
    if (!isVacant(lease.record) && lease.mark?.nonce !== nonce) seen.lease = lease;
  };
  seen.leave = view.join({ nonce: null, news: look, watch: () => undefined });
  look();
  return seen;
}
