/** The scopes: those of the standing run, which every test run exhausts, and larger ones for the long mode. */
import type { Scope } from './scope.js';

const base: Omit<Scope, 'name' | 'what'> = {
  attempts: [1, 1],
  durationsMs: [3_000, 3_000],
  marginMs: 0,
  unseenMs: 0,
  renewIntervalMs: 1_000,
  ratesMs: [1_000, 1_000],
  holdOffsMs: [0, 0],
  startsVacant: true,
  watched: false,
  deleteOnRelease: false,
  sameIdentity: false,
  wallStands: false,
  strips: false,
  evicts: false,
  slowReads: false,
  failingReads: false,
  queued: false,
  heard: 1,
  rival: false,
  announceAfterMs: null,
  patchIsRefused: false,
  budgets: {},
  progressOneIn: 64,
};

function scope(name: string, what: string, over: Partial<Scope>): Scope {
  return { ...base, name, what, ...over };
}

/** Two-tick durations: the least in which a renewal can come between a claim and its end. */
const short: Partial<Scope> = { durationsMs: [2_000, 2_000] };

/** One candidate comes again and again, the other waits: it announces itself as soon as it has seen that. */
const passedOver: Partial<Scope> = {
  ...short,
  attempts: [3, 1],
  announceAfterMs: 0,
};

/** Small enough that every test run exhausts them. */
export const standing: readonly Scope[] = [
  scope('two-candidates', 'delays and pauses of any length, nothing lost', {}),
  scope('absent', 'the lease is not there yet', { ...short, startsVacant: false }),
  scope('watched', "a watch delivers, so silence is judged by the holder's heartbeat", {
    ...short,
    watched: true,
  }),
  scope('timeouts', 'a lost request, a lost answer, a write that lands late', {
    ...short,
    budgets: { timeouts: 1 },
  }),
  scope('refusals', 'requests refused in passing', { ...short, budgets: { refusals: 1 } }),
  scope('slow-reads', 'a read is answered long after the server looked', {
    ...short,
    slowReads: true,
  }),
  scope('failing-reads', 'a watch misses something while reads fail and writes do not', {
    ...short,
    failingReads: true,
    budgets: { gaps: 1 },
  }),
  scope('release', 'a term is released, an acquisition called off', {
    ...short,
    budgets: { stops: 1 },
  }),
  scope('called-off', 'the same while a write may still land, for a second', {
    ...short,
    budgets: { stops: 1, timeouts: 1, ticks: 1 },
  }),
  scope('alone', 'one candidate, which comes again while a write of its former term may land', {
    attempts: [2],
    durationsMs: [2_000],
    ratesMs: [1_000],
    holdOffsMs: [0],
    sameIdentity: true,
    budgets: { stops: 1, timeouts: 1 },
  }),
  scope('edits', 'label edits beside renewals and waits', { ...short, budgets: { labels: 1 } }),
  scope('deleted', 'an outsider deletes the lease', { ...short, budgets: { deletes: 1 } }),
  scope('overwritten', 'an outsider blanks the record, or enters another holder', {
    ...short,
    budgets: { overwrites: 1 },
  }),
  scope('stale-news', 'watch events late, lost, repeated and out of order', { ...short, heard: 2 }),
  scope('client-go', "a rival that decides as client-go's elector, racing release included", {
    ...short,
    attempts: [1],
    durationsMs: [2_000],
    ratesMs: [1_000],
    holdOffsMs: [0],
    rival: true,
    budgets: { rivalActs: 4 },
  }),
  scope('wall-stands', 'a wall clock that stands still', {
    ...short,
    wallStands: true,
    budgets: { ticks: 4 },
  }),
  scope('wall-steps-back', 'wall clocks set back', { ...short, budgets: { setBacks: 1 } }),
  scope('rates', "a holder's clock slower by a fifth, the margin just wide enough", {
    durationsMs: [4_000, 4_000],
    marginMs: 800,
    ratesMs: [800, 1_000],
  }),
  scope('suspend', 'machines suspended: monotonic time stands, elapsed time goes on', {
    ...short,
    budgets: { suspensions: 1 },
  }),
  scope('stripped', 'the mark is removed from every write: no claim wins or stays behind', {
    ...short,
    strips: true,
    budgets: { stops: 1 },
    progressOneIn: 0,
  }),
  scope('suspend-unseen', 'machines suspended: no clock of theirs sees a second of it', {
    unseenMs: 1_000,
    budgets: { suspensions: 1 },
  }),
  scope('evicted', 'a candidate takes the place of the other without waiting for its end', {
    ...short,
    durationsMs: [3_000, 2_000],
    evicts: true,
    progressOneIn: 0,
  }),
  scope('announced', 'a waiter that is passed over announces itself, and others stand back', {
    ...passedOver,
    budgets: { stops: 2, ticks: 1 },
  }),
  scope('mixed-durations', 'candidates of different durations', { durationsMs: [2_000, 4_000] }),
];

/** What one scope of the standing run has one or two of, more of it and together. */
export const larger: readonly Scope[] = [
  scope('delete-on-release', 'a release that deletes the lease', {
    ...short,
    deleteOnRelease: true,
    budgets: { stops: 1 },
  }),
  scope('same-identity', 'candidates that share an identity string', {
    ...short,
    sameIdentity: true,
    budgets: { stops: 1 },
  }),
  scope('hold-off', 'candidates that hold off before a claim', {
    ...short,
    holdOffsMs: [0, 1_000],
    budgets: { stops: 1 },
  }),
  scope('queued', "writes wait in the sender's own queue", { ...short, queued: true }),
  scope('late-commits', 'two time-outs', { ...short, budgets: { timeouts: 2 } }),
  scope('abort', 'a release, or an acquisition called off, while a write may still land', {
    ...short,
    budgets: { stops: 1, timeouts: 1 },
  }),
  scope('abort-deleting', 'the same, and the lease is deleted', {
    ...short,
    deleteOnRelease: true,
    budgets: { stops: 1, timeouts: 1 },
  }),
  scope('abort-and-again', 'the same, and a second attempt follows', {
    ...short,
    attempts: [2, 1],
    budgets: { stops: 1, timeouts: 1 },
  }),
  scope('release-and-edits', 'releases beside label edits, and a second attempt', {
    ...short,
    attempts: [2, 1],
    budgets: { stops: 1, labels: 1 },
  }),
  scope('old-answers', 'a read is given up, and answered when newer things are known', {
    ...short,
    slowReads: true,
    budgets: { timeouts: 1 },
  }),
  scope('delete-and-again', 'a release that deletes the lease, and a second attempt', {
    ...short,
    attempts: [2, 1],
    deleteOnRelease: true,
    budgets: { stops: 1 },
  }),
  scope('outsiders', 'outsiders delete the lease and overwrite the record', {
    ...short,
    budgets: { deletes: 1, overwrites: 1 },
  }),
  scope('very-stale-news', 'three versions to hear of, and gaps', {
    ...short,
    heard: 3,
    budgets: { gaps: 1 },
  }),
  scope('client-go-long', 'six acts of the rival, a time-out and a release', {
    ...short,
    attempts: [2],
    durationsMs: [2_000],
    ratesMs: [1_000],
    holdOffsMs: [0],
    rival: true,
    budgets: { rivalActs: 6, timeouts: 1, stops: 1 },
  }),
  scope('wall-stands-long', 'a wall clock that stands still, and a time-out', {
    ...short,
    wallStands: true,
    budgets: { ticks: 6, timeouts: 1 },
  }),
  scope('suspend-twice', 'two suspensions and a time-out', {
    ...short,
    budgets: { suspensions: 2, timeouts: 1 },
  }),
  scope(
    'namesakes',
    'candidates that share an identity string, and an outsider blanks the record',
    {
      ...short,
      sameIdentity: true,
      budgets: { stops: 1, overwrites: 1 },
    },
  ),
  scope('namesakes-again', 'candidates that share an identity string, and a second attempt', {
    ...short,
    attempts: [2, 1],
    sameIdentity: true,
    budgets: { stops: 1 },
  }),
  scope('namesakes-abort', 'the same, and a write may still land when a candidate gives up', {
    ...short,
    attempts: [2, 1],
    sameIdentity: true,
    budgets: { stops: 1, timeouts: 1 },
  }),
  scope('hold-off-again', 'candidates that hold off before a claim, and a second attempt', {
    ...short,
    attempts: [2, 1],
    holdOffsMs: [0, 1_000],
    budgets: { stops: 1 },
  }),
  scope('announced-later', 'a waiter that announces itself a second later, and two seconds pass', {
    ...passedOver,
    announceAfterMs: 1_000,
    budgets: { stops: 2, ticks: 2 },
  }),
  scope('announced-in-vain', 'the same at once, while a request may get lost', {
    ...passedOver,
    budgets: { stops: 2, ticks: 1, timeouts: 1 },
  }),
  scope('announced-by-cas', 'a waiter that announces itself where patches are refused', {
    ...passedOver,
    patchIsRefused: true,
    budgets: { stops: 2, ticks: 1 },
  }),
  scope('announced-by-two', 'two waiters announce themselves', {
    ...passedOver,
    attempts: [3, 1, 1],
    durationsMs: [2_000, 2_000, 2_000],
    ratesMs: [1_000, 1_000, 1_000],
    holdOffsMs: [0, 0, 0],
    budgets: { stops: 2, ticks: 1 },
  }),
  scope('three-candidates', 'three of them', {
    attempts: [1, 1, 1],
    durationsMs: [2_000, 2_000, 2_000],
    ratesMs: [1_000, 1_000, 1_000],
    holdOffsMs: [0, 0, 0],
  }),
];

export const scopes: readonly Scope[] = [...standing, ...larger];
