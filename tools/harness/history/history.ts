/**
 * What happened in a run of locks, as plain data. Simulations, runs with real processes and histories written by hand
 * have the same form, so one checker serves them all.
 */

/** An interval in which a process considered a lock held. Milliseconds on one clock for the whole history. */
export interface Belief {
  readonly process: string;
  readonly lock: string;
  /** Names the acquisition. Several intervals of one term are one belief that was observed in parts. */
  readonly term: string;
  readonly token: bigint;
  readonly from: number;
  /** Exclusive. */
  readonly until: number;
}

/** A write to a register that must reject tokens lower than the greatest it has accepted. */
export interface GuardedWrite {
  readonly process: string;
  readonly lock: string;
  readonly token: bigint;
  readonly at: number;
  readonly accepted: boolean;
}

/** Something that follows no protocol deleted or overwrote a held Lease. */
export interface OutsiderWrite {
  readonly lock: string;
  readonly at: number;
  readonly what: string;
}

export interface History {
  readonly beliefs: readonly Belief[];
  readonly writes: readonly GuardedWrite[];
  readonly outsiders: readonly OutsiderWrite[];
}
