// The model that every run of locks is held against: a fenced mutex. Plain data in, a judgement out: no
// clock, no I/O, so runs on virtual time, on real API servers and by hand are judged alike.

/** A stretch of time in which somebody believed to hold a lock. Milliseconds on one clock for all. */
export interface Belief {
  readonly process: string;
  readonly lock: string;
  /** Names the acquisition; two stretches of one term are one belief that was seen in parts. */
  readonly term: string;
  readonly token: bigint;
  readonly from: number;
  /** Exclusive. */
  readonly until: number;
}

/** A write to a register that is to reject tokens lower than the greatest it has accepted. */
export interface GuardedWrite {
  readonly process: string;
  readonly lock: string;
  readonly token: bigint;
  readonly at: number;
  readonly accepted: boolean;
}

/** Somebody who keeps to no protocol deleted or overwrote a held Lease. */
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

/** Two who believed at one moment. */
export interface Overlap {
  readonly lock: string;
  readonly a: Belief;
  readonly b: Belief;
  readonly from: number;
  readonly until: number;
  readonly durationMs: number;
  /** The outsider's write that took the Lease from the one of them who could not know yet. */
  readonly excusedBy: OutsiderWrite | null;
  readonly what: string;
}

/** Faults in words, but for overlaps: an excused one is worth knowing, too. */
export interface Judgement {
  readonly overlaps: readonly Overlap[];
  readonly tokens: readonly string[];
  readonly register: readonly string[];
}

export interface Limits {
  /** Lease duration less the margin: so long a holder may go on after an outsider's write. */
  readonly beliefMs: number;
}
