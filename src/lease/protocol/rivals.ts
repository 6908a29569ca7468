/**
 * Pure: how long to hold off before claiming a lease that just came free.
 *
 * Every waiter of the cluster hears of a release within the same few milliseconds. If all of them wrote at
 * once, all but one write would be wasted; if each backed off only after its own defeats, one process would
 * capture the lock. So the delay follows the number of rivals lately seen *holding*: all waiters see the
 * same holders, hence draw from the same range. A lone waiter never waits.
 */
export interface Rivals {
  /** Each holder seen, with the number of the hand-off at which it was seen last. */
  readonly holders: ReadonlyMap<string, number>;
  readonly handOffs: number;
  /** Rivals guessed from our own lost writes: there may be many who never won yet. */
  readonly guess: number;
}

export const noRivals: Rivals = { holders: new Map(), handOffs: 0, guess: 0 };

/** A holder not seen for so many hand-offs has left the contest. */
const REMEMBERED_HAND_OFFS = 32;

/** Width of the range per contender, in round trips: a winner's event arrives after about two. */
const ROUND_TRIPS_PER_RIVAL = 2.5;

/** More rivals than this are not told apart: they would only wait longer than a lock stays free. */
const MOST_GUESSED = 32;

/** Whoever hears of a vacant lease goes for it within this time, whatever it believes of rivals. */
const LONGEST_HOLD_OFF_MS = 500;

/** The lease was seen with a new holder. */
export function sawHolder(rivals: Rivals, holder: string): Rivals {
  const handOffs = rivals.handOffs + 1;
  const oldest = handOffs - REMEMBERED_HAND_OFFS;
  const holders = new Map([...rivals.holders].filter(([, seen]) => seen > oldest));
  holders.set(holder, handOffs);
  return { holders, handOffs, guess: rivals.guess * 0.9 };
}

/** Somebody else's write came before ours. */
export function lostRace(rivals: Rivals): Rivals {
  return { ...rivals, guess: Math.min(Math.max(4, rivals.guess * 2), MOST_GUESSED) };
}

/**
 * @param others identities that do not compete now: ourselves and the one who just released
 * @param random from 0 up to 1
 */
export function holdOffMs(
  rivals: Rivals,
  others: readonly string[],
  roundTripMs: number,
  random: number,
): number {
  const seen = [...rivals.holders.keys()].filter((holder) => !others.includes(holder)).length;
  const count = Math.max(seen, rivals.guess);
  if (count < 0.5) return 0;
  return random * Math.min(ROUND_TRIPS_PER_RIVAL * roundTripMs * (count + 1), LONGEST_HOLD_OFF_MS);
}
