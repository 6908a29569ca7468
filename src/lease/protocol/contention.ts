/**
 * Pure: what one process knows of its rivals for one lease, and how long it holds off before it claims a lease
 * that just came free.
 *
 * Every waiter of the cluster hears of a release within the same few milliseconds. If all of them wrote at
 * once, all but one write would be wasted; if each backed off only after its own defeats, one process would
 * capture the lock. So the delay follows the number of rivals lately seen *holding*: all waiters see the
 * same holders, hence draw from the same range. A lone waiter never waits.
 *
 * That is fair among processes at the same distance from the API server. What the others need is in `announcements.ts`.
 */
import { isVacant, type Lease } from '../record.js';
import type { Sight } from './sight.js';

export interface Contention {
  /** Each holder seen, with the number of the hand-off at which it was seen last. */
  readonly holders: ReadonlyMap<string, number>;
  readonly handOffs: number;
  /** Rivals guessed from our own lost writes: there may be many who never won yet. */
  readonly guess: number;
  /** Who released last; it does not compete while it is away. */
  readonly formerHolder: string;
  /** Of this version a claim was lost, and what came in its place is not known yet. */
  readonly lostOn: Lease | null;
  readonly roundTripMs: number;
}

/** What an attempt goes by when it decides whether to write: drawn again with every change that it sees. */
export interface Pace {
  /** Delay before a claim, so that rivals do not all write at once. */
  readonly holdOffMs: number;
  /** Of a request and its answer, on average. */
  readonly roundTripMs: number;
}

/** First guess of a round trip, until one was measured. */
const ROUND_TRIP_GUESS_MS = 5;

/** How much one more round trip counts: what far processes need is known after a handful. */
const SHARE_OF_LATEST = 1 / 4;

export const noContention: Contention = {
  ...{ holders: new Map(), handOffs: 0, guess: 0, formerHolder: '', lostOn: null },
  roundTripMs: ROUND_TRIP_GUESS_MS,
};

/** A holder not seen for so many hand-offs has left the contest. */
const REMEMBERED_HAND_OFFS = 32;

/** Width of the range per contender, in round trips: a winner's event arrives after about two. */
const ROUND_TRIPS_PER_RIVAL = 2.5;

/** More rivals than this are not told apart: they would only wait longer than a lock stays free. */
const MOST_GUESSED = 32;

/** Whoever hears of a vacant lease goes for it within this time, whatever it believes of rivals. */
const LONGEST_HOLD_OFF_MS = 500;

/** The sight of the lease changed. */
export function sawChange(contention: Contention, before: Sight, after: Sight): Contention {
  return sawHolder(settleLostClaim(contention, after), before, after);
}

function sawHolder(contention: Contention, before: Sight, after: Sight): Contention {
  if (after.kind !== 'present') return contention;
  const former = before.kind === 'present' ? before.lease.record.holder : '';
  const { record } = after.lease;
  if (record.holder === former) return contention;
  if (isVacant(record)) return { ...contention, formerHolder: former };
  const handOffs = contention.handOffs + 1;
  const oldest = handOffs - REMEMBERED_HAND_OFFS;
  const holders = new Map([...contention.holders].filter(([, seen]) => seen > oldest));
  holders.set(record.holder, handOffs);
  return { ...contention, holders, handOffs, guess: contention.guess * 0.9, formerHolder: '' };
}

/** A claim onto this version met another one. Whether a rival wrote that shows when it is seen. */
export function lostClaim(contention: Contention, base: Lease, sight: Sight): Contention {
  return settleLostClaim({ ...contention, lostOn: base }, sight);
}

/** A version in which the record stands as it stood is an announcement, or an edit: nobody else claimed. */
function settleLostClaim(contention: Contention, sight: Sight): Contention {
  const { lostOn: base, guess } = contention;
  if (base === null) return contention;
  const isNewer = sight.version > (base.version ?? 0n) || sight.kind !== 'present';
  if (!isNewer) return contention;
  const settled = { ...contention, lostOn: null };
  if (sight.kind === 'present' && sight.lease.fingerprint === base.fingerprint) return settled;
  return { ...settled, guess: Math.min(Math.max(4, guess * 2), MOST_GUESSED) };
}

/** A request was answered this long after it left. */
export function measured(contention: Contention, tookMs: number): Contention {
  const { roundTripMs } = contention;
  return { ...contention, roundTripMs: roundTripMs + (tookMs - roundTripMs) * SHARE_OF_LATEST };
}

/**
 * @param identity of the attempt: it is no rival of its own
 * @param random from 0 up to 1
 */
export function paceOf(contention: Contention, identity: string, random: number): Pace {
  const { holders, formerHolder, guess, roundTripMs } = contention;
  const idle = [identity, formerHolder];
  const seen = [...holders.keys()].filter((holder) => !idle.includes(holder)).length;
  const count = Math.max(seen, guess);
  if (count < 0.5) return { holdOffMs: 0, roundTripMs };
  const range = Math.min(ROUND_TRIPS_PER_RIVAL * roundTripMs * (count + 1), LONGEST_HOLD_OFF_MS);
  return { holdOffMs: random * range, roundTripMs };
}
