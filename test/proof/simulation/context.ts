import type { Violate } from './invariants.js';
import type { Network } from './network.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { Plan } from './plan.js';
import type { Schedule } from './schedule.js';
import type { Observer } from './observer.js';

/** What the services of a cluster share. */
export interface Context {
  readonly plan: Plan;
  readonly schedule: Schedule;
  readonly prng: Prng;
  readonly network: Network;
  readonly observer: Observer;
  log(line: string): void;
  violate: Violate;
  count(what: string): void;
  /** A process of this name got its turn, or gave up waiting for it. */
  readonly waited: (process: string, ms: number, longestMs: number) => void;
}

/** A write to what the lock protects. It usually arrives within milliseconds, sometimes within seconds. */
export function guardedWrite(context: Context, process: string, lock: string, token: bigint): void {
  const { schedule, prng, observer } = context;
  const ms = prng.is(0.9) ? prng.between(1, 20) : prng.between(20, 10_000);
  schedule.in(ms, () => void observer.write(process, lock, token));
}
