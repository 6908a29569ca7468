// A job that runs once per tick in the whole cluster. The leader runs it; how far it is stands in a store
// that compares fencing tokens, so that neither a late pod nor a former leader repeats a tick.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Leading } from '@metaparticle/sync';

/** A greater token was seen: another leader is at it. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';

  constructor(fencingToken: bigint) {
    super(`token ${fencingToken} was refused: a later leader is at it`);
  }
}

/** The last ticks that were begun and done. They differ when a leader died in the middle of one. */
export interface Progress {
  readonly started: number;
  readonly finished: number;
}

/**
 * Keeps the progress together with the token of the leader that made it. Each method compares and writes
 * in one step, and rejects with StaleTokenError when another leader's token is the greater one.
 */
export interface TickStore {
  /** Once per term, first of all: from here on former leaders are refused. `initial`: when none is stored. */
  begin(fencingToken: bigint, initial: number): Promise<Progress>;
  /** Refused too unless the tick is later than every one that was started. */
  start(fencingToken: bigint, tick: number): Promise<void>;
  finish(fencingToken: bigint, tick: number): Promise<void>;
}

export interface Schedule {
  /** Ticks are counted from 1970, so that all pods agree on them as far as their clocks agree. */
  readonly everyMs: number;
  /**
   * A tick in whose middle a leader died or was cut off. `skip`: at most once, it may be half done for
   * ever: for what must not happen twice, such as sending mail. `repeat`: at least once, the next leader
   * runs it again from the beginning, perhaps while the former one is still at it: for what may be
   * repeated, or refuses stale tokens itself. Exactly once is to be had only where the job's effects and
   * `finish` can be one transaction.
   */
  readonly interrupted: 'skip' | 'repeat';
  /**
   * Ticks that fell due while nobody led, or while the one before took too long. `run`: each, in order,
   * late: for ticks that stand for something of their own, such as the sales of an hour. `skip`: only the
   * newest: for those that bring something up to date.
   */
  readonly missed: 'run' | 'skip';
}

export interface Tick {
  readonly tick: number;
  /** Aborts when another leader may be at it: stop at once. */
  readonly signal: AbortSignal;
  /** For what the job writes to. */
  readonly fencingToken: bigint;
}

/** No longer than this in one go: wall clocks are set, and then the tick is due at another time. */
const LONGEST_SLEEP_MS = 30_000;

/** One term of the leader. Resolves, between two ticks, when it is asked to wind down. */
export async function runTicks(
  job: (tick: Tick) => Promise<void>,
  store: TickStore,
  schedule: Schedule,
  { signal, lostSignal, fencingToken }: Leading,
): Promise<void> {
  const { everyMs, interrupted, missed } = schedule;
  const newest = (): number => Math.floor(Date.now() / everyMs);
  const perform = async (tick: number): Promise<void> => {
    // A job that rejects ends the term, and the process: the tick counts as interrupted.
    await job({ tick, signal: lostSignal, fencingToken });
    await store.finish(fencingToken, tick);
  };
  try {
    // The very first leader begins with the next tick: nothing was missed yet.
    const { started, finished } = await store.begin(fencingToken, newest());
    if (started !== finished && interrupted === 'repeat') await perform(started);
    let last = started;
    while (!signal.aborted) {
      if (newest() <= last) {
        const ms = Math.min((last + 1) * everyMs - Date.now(), LONGEST_SLEEP_MS);
        await sleep(ms, undefined, { signal }).catch(() => undefined);
        continue;
      }
      last = missed === 'run' ? last + 1 : newest();
      // Before the job, or a leader that dies in its middle leaves no trace of having begun.
      await store.start(fencingToken, last);
      await perform(last);
    }
  } catch (error) {
    // Refused because the term is over, which is no failure of this process.
    if (error instanceof StaleTokenError) lostSignal.throwIfAborted();
    throw error;
  }
}
