/**
 * What a search covers: the candidates, what may go wrong and how often. Delays and pauses are never
 * bounded: any request may take, and any process may sleep, any number of ticks.
 */

/** How often something may happen within one path. */
export const budgetNames = [
  'timeouts',
  'refusals',
  'stops',
  'labels',
  'overwrites',
  'deletes',
  'gaps',
  'setBacks',
  'suspensions',
  'rivalActs',
  'ticks',
] as const;

export type Budget = (typeof budgetNames)[number];

/** What a server makes of writes that lack a field which ours always carry. */
export type Flaw = 'without-uid' | 'without-version';

export interface Scope {
  readonly name: string;
  /** One sentence: what is looked for here. */
  readonly what: string;
  /** Attempts of each candidate: an attempt is one nonce, from the wish to the end of the term. */
  readonly attempts: readonly number[];
  readonly durationsMs: readonly number[];
  readonly marginMs: number;
  /** How much of a candidate's suspensions its clocks may miss. */
  readonly unseenMs: number;
  readonly renewIntervalMs: number;
  /** How far each candidate's clocks go while a second passes. */
  readonly ratesMs: readonly number[];
  /** How long each candidate holds off when a lease comes free. */
  readonly holdOffsMs: readonly number[];
  readonly startsVacant: boolean;
  readonly watched: boolean;
  readonly deleteOnRelease: boolean;
  /** All candidates carry the same identity: only nonces tell them apart. */
  readonly sameIdentity: boolean;
  readonly wallStands: boolean;
  /** Something between the candidates and the server removes the mark from every write. */
  readonly strips: boolean;
  /** The second candidate takes the lease from the first one without waiting, and from no other. */
  readonly evicts: boolean;
  /** A read may be answered long after the server looked. */
  readonly slowReads: boolean;
  /** Every read fails, and no write does. What is held then stays held. */
  readonly failingReads: boolean;
  /** A write may wait in the sender's own queue. */
  readonly queued: boolean;
  /** How many versions, the newest included, may still be heard of by watch, in any order and repeatedly. */
  readonly heard: number;
  readonly rival: boolean;
  /** How long candidates wait before they announce themselves; `null`: they never do. */
  readonly announceAfterMs: number | null;
  /** Announcements are refused as merge patches: they are compare-and-swaps. */
  readonly patchIsRefused: boolean;
  readonly budgets: Readonly<Partial<Record<Budget, number>>>;
  /** Progress is tried from one state in so many; 0 from none. */
  readonly progressOneIn: number;
}

export const TICK_MS = 1_000;

/** Spent budgets that are not named: these may happen never, time may go on without end. */
export function budgetOf(scope: Scope, name: Budget): number {
  return scope.budgets[name] ?? (name === 'ticks' ? Infinity : 0);
}
