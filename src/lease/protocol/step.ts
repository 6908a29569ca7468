/**
 * Pure: what is to be done now. Reads a state and the clocks, changes nothing; asked again after every event.
 */
import type { Instant } from '../clock.js';
import { isVacant, type Change, type Lease, type LeaseRecord } from '../record.js';
import {
  ANNOUNCED_POLL_MS,
  announcementDue,
  announcementOf,
  endedBy,
  hesitationMs,
  isAnnounced,
} from './announcements.js';
import type { Absent, Present } from './sight.js';
import type { Holding, Seeking, State, Step, Terms, Vacating, Write } from './state.js';
import { isOwn } from './writes.js';

/** How often to look when no watch can be had: client-go's retry period. */
const POLL_MS = 2_000;

/** A holder may renew as often as it likes; silence is not suspicious sooner than this. */
const SHORTEST_SILENCE_MS = 1_000;

/** So shortly before a claim is due a look is left out: it would only delay the claim, which finds out itself. */
const CLAIM_NEAR_MS = 500;

/** Seconds of grain and of disagreement between API servers that a server-clock takeover allows for. */
const SERVER_CLOCK_SLACK_MS = 5_000;

/** The duration that a vacant record carries: zero would be invalid, and some electors wait it out. */
const VACANT_DURATION_MS = 1_000;

/** `leaseTransitions` is an int32 on the wire; it is for people to read, tokens do not depend on it. */
const MAX_TRANSITIONS = 2 ** 31 - 1;

/** Longest wait for one answer; a shorter budget shortens it. */
const REQUEST_LIMIT_MS = 5_000;

const NEVER: Step = { do: 'wait', ms: Infinity };

export function nextStep(state: State, now: Instant, terms: Terms): Step {
  switch (state.kind) {
    case 'seeking':
      return seekingStep(state, now, terms);
    case 'holding':
      return holdingStep(state, now, terms);
    case 'vacating':
      return vacatingStep(state, now, terms);
    case 'over':
      return { do: 'end' };
  }
}

/** How long belief lasts from now without another renewal, in milliseconds; zero when nothing is held. */
export function beliefMs(state: State, now: Instant): number {
  return state.kind === 'holding' ? Math.max(state.heldUntil - now.elapsed, 0) : 0;
}

/**
 * How long a write that landed is believed in. What the clock does not see of a suspension has to stay inside the margin:
 * where it may be more, it takes the place of the margin.
 */
export function fullBeliefMs({ durationMs, marginMs, unseenMs }: Terms): number {
  return durationMs - Math.max(marginMs, unseenMs);
}

/** Over half of the belief that a renewal gives is used up. */
export function isLate(state: Holding, now: Instant, terms: Terms): boolean {
  return beliefMs(state, now) < fullBeliefMs(terms) / 2;
}

/** What a request that is made now may cost, and how much depends on it. */
export interface Budget {
  /** Within what time it is of use at all. */
  readonly withinMs: number;
  /** How long to wait for its answer once it is sent. */
  readonly limitMs: number;
  /** After this much silence at the latest another attempt goes beside it, however slow the server has been. */
  readonly patienceMs: number;
  /** For whose sake it is made. */
  readonly lane: Exclude<State['kind'], 'over'>;
}

export function requestBudget(state: State, now: Instant): Budget {
  const withinMs = usefulMs(state, now);
  const lane = state.kind === 'over' ? 'vacating' : state.kind;
  // The nearer the end of belief, the closer the attempts: the last ones may be the first after an outage.
  const patienceMs = state.kind === 'holding' ? withinMs / 3 : Infinity;
  return { withinMs, limitMs: Math.min(withinMs, REQUEST_LIMIT_MS), patienceMs, lane };
}

function usefulMs(state: State, now: Instant): number {
  switch (state.kind) {
    case 'holding':
      return beliefMs(state, now);
    case 'vacating':
      return Math.max(state.giveUpAt - now.monotonic, 0);
    default:
      return REQUEST_LIMIT_MS;
  }
}

function seekingStep(state: Seeking, now: Instant, terms: Terms): Step {
  const { sight } = state;
  if (state.failure !== null) return { do: 'fail', error: state.failure };
  if (isBusy(state)) return NEVER;
  if (now.monotonic < state.retryAt) return wait(state.retryAt - now.monotonic);
  if (sight.kind === 'unknown' || sight.kind === 'unordered') return { do: 'read', why: 'first' };
  if (state.readAt !== null) return readWhenDue(state.readAt, now.monotonic);
  if (isInherited(state)) return { do: 'read', why: 'first' };
  if (terms.aim === 'observe') return observingStep(state, sight, now, terms);
  if (terms.evicts !== undefined) return evictingStep(state, sight, now, terms);
  if (sight.kind === 'absent') return { do: 'create', change: vacancy(Math.floor(now.wall), 0) };
  // One that tries once has no rivals to be fair to later; it leaves a vacancy alone that is another's turn.
  const holdOffMs = terms.aim === 'try' ? 0 : state.pace.holdOffMs;
  const claimAt = claimableAt(sight, holdOffMs, terms);
  if (now.monotonic >= claimAt) return claim(state, sight, now, terms);
  if (terms.aim === 'try' && !isVacant(sight.lease.record)) {
    return state.looked ? { do: 'yield', lease: sight.lease } : { do: 'read', why: 'first' };
  }
  const announceAt = announcementDue(state.waiting, sight, terms);
  if (now.monotonic >= announceAt) return announce(state, sight, now, terms);
  const pollAt =
    sight.heardAt + (state.watched ? longestSilence(sight, terms) : pollMs(sight, terms));
  const lookAt = pollAt > claimAt - CLAIM_NEAR_MS ? claimAt : pollAt;
  if (now.monotonic < lookAt) return wait(Math.min(lookAt, announceAt) - now.monotonic);
  return { do: 'read', why: state.watched ? 'silence' : 'poll' };
}

/** The others leave a vacancy alone for no longer than it takes one that polls so often to see it. */
function pollMs({ lease }: Present, terms: Terms): number {
  return isAnnounced(lease, terms) ? ANNOUNCED_POLL_MS : POLL_MS;
}

/** Onto whatever stands there by then, which always lands; where that is not allowed, onto what was seen. */
function announce(state: Seeking, sight: Present, now: Instant, terms: Terms): Step {
  const { waiting, pace, watched, lastStamp } = state;
  const announcement = announcementOf(waiting, pace, watched, now.monotonic, terms);
  if (waiting.mayPatch) return { do: 'announce', base: sight.lease, announcement };
  const { record, mark } = sight.lease;
  const stamp = stampAfter(lastStamp, null, now);
  return write('announce', sight, stamp, { record, mark, announcement });
}

/** What we were told before this attempt may be mended by now: nobody is refused on hearsay. */
function isInherited({ sight, looked }: Seeking): boolean {
  return !looked && sight.kind === 'present' && sight.lease.strategy !== null;
}

/** Takes the place of one term, or gives way: to nobody as to another holder. */
function evictingStep(state: Seeking, sight: Present | Absent, now: Instant, terms: Terms): Step {
  if (!state.looked) return { do: 'read', why: 'first' };
  const lease = sight.kind === 'present' ? sight.lease : null;
  if (sight.kind === 'present' && isEvicted(sight.lease, terms)) {
    return claim(state, sight, now, terms);
  }
  return { do: 'yield', lease };
}

function isEvicted({ record, mark }: Lease, { evicts, nonce }: Terms): boolean {
  if (evicts === undefined || isVacant(record)) return false;
  // A claim of ours that was learnt too late to win stands in its place.
  if (mark?.nonce === nonce) return true;
  return 'token' in evicts ? mark?.token === evicts.token : record.holder === evicts.holder;
}

/** Looks on: as a candidate would, but what is not held, or overdue, has no heartbeat to be missed. */
function observingStep(state: Seeking, sight: Present | Absent, now: Instant, terms: Terms): Step {
  if (!state.looked) return { do: 'read', why: 'first' };
  const hasHeartbeat =
    sight.kind === 'present' &&
    !isVacant(sight.lease.record) &&
    now.monotonic < claimableAt(sight, 0, terms);
  const silence = hasHeartbeat ? longestSilence(sight, terms) : terms.durationMs;
  const pollAt = sight.heardAt + (state.watched ? silence : POLL_MS);
  if (now.monotonic < pollAt) return wait(pollAt - now.monotonic);
  return { do: 'read', why: state.watched && hasHeartbeat ? 'silence' : 'poll' };
}

/**
 * When this lease may be claimed, on our own monotonic clock: a vacant one when we saw it so; a held one
 * when its spec has stood still for its own duration since *we* first saw it. At once if it is a claim of
 * our own that nobody ever believed in, or if the API server's clock shows it long dead.
 */
export function claimableAt(sight: Present, holdOffMs: number, terms: Terms): number {
  const { record, mark } = sight.lease;
  if (mark?.nonce === terms.nonce) return sight.firstSeenAt;
  if (isVacant(record)) return sight.firstSeenAt + hesitationMs(sight.lease, holdOffMs, terms);
  if (isLongDead(sight.lease, terms)) return sight.firstSeenAt;
  return sight.firstSeenAt + (record.durationMs ?? terms.durationMs) + holdOffMs;
}

/** Both stamps are the server's; twice the duration tolerates API servers a whole duration apart. */
function isLongDead({ idleMs, record }: Lease, terms: Terms): boolean {
  if (!terms.trustServerClock || idleMs === null) return false;
  return idleMs >= 2 * (record.durationMs ?? terms.durationMs) + SERVER_CLOCK_SLACK_MS;
}

/** The holder's renewals are the heartbeat of the watch: twice their gap without one is a silent watch. */
function longestSilence(sight: Present, terms: Terms): number {
  const durationMs = sight.lease.record.durationMs ?? terms.durationMs;
  // Not known yet: so soon as a candidate without a watch looks, or a quarter of a longer lease.
  if (sight.gapMs === null) return Math.min(durationMs / 2, Math.max(durationMs / 4, POLL_MS));
  return Math.min(Math.max(2 * sight.gapMs, SHORTEST_SILENCE_MS), durationMs);
}

function holdingStep(state: Holding, now: Instant, terms: Terms): Step {
  if (isBusy(state)) return wait(state.heldUntil - now.elapsed);
  const dueAt = state.readAt ?? state.renewAt;
  if (now.elapsed < dueAt) return wait(Math.min(dueAt, state.heldUntil) - now.elapsed);
  if (state.readAt !== null) return { do: 'read', why: 'doubt' };
  const { lease } = state.sight;
  const stamp = stampAfter(state.lastStamp, lease.record.renewTime, now);
  return write('renew', state.sight, stamp, {
    record: { ...lease.record, ...held(terms, lease.record), renewTime: stamp },
    mark: { nonce: terms.nonce, token: state.token },
    ...ending('renew', lease, terms),
  });
}

function vacatingStep(state: Vacating, now: Instant, terms: Terms): Step {
  const { sight } = state;
  if (isBusy(state)) return wait(state.giveUpAt - now.monotonic);
  if (now.monotonic < state.retryAt) {
    return wait(Math.min(state.retryAt, state.giveUpAt) - now.monotonic);
  }
  if (sight.kind === 'unknown') return { do: 'read', why: 'doubt' };
  if (state.readAt !== null) return readWhenDue(state.readAt, now.monotonic);
  if (sight.kind !== 'present') return wait(state.giveUpAt - now.monotonic);
  const stamp = stampAfter(state.lastStamp, null, now);
  const { record, mark } = sight.lease;
  if (isOwn(sight, terms, state.unmarked)) {
    const ended = ending('vacate', sight.lease, terms);
    const change = { ...vacancy(stamp, record.transitions), ...ended };
    return write('vacate', sight, stamp, change);
  }
  // Its own announcement may still land. No write of ours is in doubt, so nothing else is to be found out.
  if (state.waiting.isAnnouncing && state.writes.length === 0) {
    return wait(state.giveUpAt - now.monotonic);
  }
  const isLeft = isAnnounced(sight.lease, terms) && !state.hasWithdrawn;
  if (isLeft && state.waiting.mayPatch && state.writes.length === 0) {
    return { do: 'announce', base: sight.lease, announcement: null };
  }
  if (state.confirmed && !isLeft) return { do: 'delete', base: sight.lease };
  const bump = `${terms.nonce}.${stamp}`;
  return write('bump', sight, stamp, { record, mark, bump, ...ending('bump', sight.lease, terms) });
}

function claim(state: Seeking, sight: Present, now: Instant, terms: Terms): Step {
  const stamp = stampAfter(state.lastStamp, null, now);
  const change = tenure(sight, stamp, terms);
  return write('claim', sight, stamp, { ...change, ...ending('claim', sight.lease, terms) });
}

/** No write of an attempt leaves its announcement behind, nor, when it claims, the one whose turn it was. */
function ending(intent: Write['intent'], lease: Lease, terms: Terms): Pick<Change, 'ended'> {
  const ended = endedBy(intent, lease, terms);
  return ended.length === 0 ? {} : { ended };
}

/** What a claim leaves behind; whether there may be one is decided before. */
export function tenure(
  sight: Pick<Present, 'lease' | 'version'>,
  stamp: number,
  terms: Pick<Terms, 'identity' | 'durationMs' | 'nonce' | 'evicts'>,
): Change {
  const transitions = Math.min(sight.lease.record.transitions + 1, MAX_TRANSITIONS);
  return {
    record: {
      ...held(terms, sight.lease.record),
      acquireTime: stamp,
      renewTime: stamp,
      transitions,
    },
    // The version replaced: known before the write, so the write itself stores it; and any later
    // acquisition replaces this write's version or a newer one, also after a deletion.
    mark: { nonce: terms.nonce, token: sight.version },
  };
}

/** A term that evicted another keeps the longer duration: for so long the other may believe, whatever becomes of it. */
function held(
  { identity, durationMs, evicts }: Pick<Terms, 'identity' | 'durationMs' | 'evicts'>,
  replaced: LeaseRecord,
): Pick<LeaseRecord, 'holder' | 'durationMs'> {
  const least = evicts === undefined ? 0 : (replaced.durationMs ?? 0);
  return { holder: identity, durationMs: Math.max(durationMs, least) };
}

/** The form of release that every other elector accepts at once: null or missing fields make some stick. */
export function vacancy(stamp: number, transitions: number): Change {
  const times = { acquireTime: stamp, renewTime: stamp };
  return {
    record: { holder: '', durationMs: VACANT_DURATION_MS, ...times, transitions },
    mark: null,
  };
}

/**
 * Unique among our writes; and a second beyond the renewal it replaces, for readers that see whole seconds
 * and for a wall clock that stands still: identical bytes would be no write at all to the server.
 */
export function stampAfter(
  lastStamp: number,
  replaced: number | null,
  now: Pick<Instant, 'wall'>,
): number {
  return Math.floor(Math.max(now.wall, lastStamp + 1, (replaced ?? 0) + 1_000));
}

function write(intent: Write['intent'], sight: Present, stamp: number, change: Change): Step {
  const fresh = { intent, base: sight.version, stamp, sentAt: null, awaited: true } as const;
  return { do: 'write', write: fresh, base: sight.lease, change };
}

function isBusy(state: Seeking | Holding | Vacating): boolean {
  return state.asking !== null || state.writes.some((one) => one.awaited);
}

function readWhenDue(readAt: number, now: number): Step {
  return now >= readAt ? { do: 'read', why: 'doubt' } : wait(readAt - now);
}

function wait(ms: number): Step {
  return { do: 'wait', ms: Math.max(ms, 0) };
}
