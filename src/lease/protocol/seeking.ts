/**
 * Pure: events of a candidate. It wins only while the belief that its claim carries has not ended.
 */
import { UnsupportedLeaseError, type SyncError } from '../../errors.js';
import type { Instant } from '../clock.js';
import { keyOf, type Lease } from '../record.js';
import { announcementAnswered, beginWaiting, isAnnouncedIn, sawTerm } from './announcements.js';
import type { Pace } from './contention.js';
import { beliefFrom } from './holding.js';
import type { Sight } from './sight.js';
import type { Event, Request, Seeking, State, Terms, Verdict } from './state.js';
import { clearUp } from './vacating.js';
import {
  REFUSED_PAUSE_MS,
  RETRY_PAUSE_MS,
  common,
  isOpen,
  isOwn,
  landedWrite,
  overdue,
  stillPossible,
  without,
} from './writes.js';

/** A lost race is told by the winner's event too: wait this long for it before asking. */
const EVENT_GRACE_MS = 100;

/** The first state of an attempt; `sight` is what the process knows already. */
export function seek(sight: Sight, now: Instant, pace: Pace): Seeking {
  return {
    kind: 'seeking',
    sight,
    writes: [],
    asking: null,
    readAt: null,
    retryAt: now.monotonic,
    pace,
    waiting: sawTerm(beginWaiting(now.monotonic), sight),
    watched: false,
    looked: false,
    proven: [],
    failure: null,
    unmarked: null,
    lastStamp: 0,
  };
}

export function seeking(state: Seeking, event: Event, now: Instant, terms: Terms): State {
  switch (event.type) {
    case 'news':
      return seekingNews(state, event.sight, event.pace, now, terms);
    case 'settled':
      return seekingSettled(state, event.stamp, event.verdict, now, terms);
    case 'answered':
      return seekingAnswered(state, event.request, event.verdict, now);
    case 'silent':
      return { ...overdue(state, event.stamp), readAt: now.monotonic };
    case 'watch':
      return { ...state, watched: event.live, readAt: event.gap ? now.monotonic : state.readAt };
    case 'stop':
      return stopSeeking(state, now, terms);
    default:
      return common(state, event, now);
  }
}

function seekingNews(state: Seeking, sight: Sight, pace: Pace, now: Instant, terms: Terms): State {
  const isChange = sight.serial !== state.sight.serial;
  const landed = landedWrite(state.writes, state.sight, sight, terms);
  const writes = stillPossible(state.writes, sight);
  if (landed?.sentAt != null && sight.kind === 'present') {
    const heldUntil = beliefFrom(landed.sentAt, terms);
    // Learnt too late, it is no win: nobody acted on it, so it may be replaced at once.
    if (now.elapsed < heldUntil) {
      const { lastStamp } = state;
      const renewAt = landed.sentAt + terms.renewIntervalMs;
      const hold = {
        asking: null,
        readAt: null,
        token: landed.base,
        heldUntil,
        renewAt,
        lastStamp,
      };
      return { kind: 'holding', sight, writes: [], ...hold };
    }
  }
  return judgeLease({
    ...state,
    sight,
    writes,
    readAt: isChange ? null : state.readAt,
    pace: isChange ? pace : state.pace,
    waiting: sawTerm(state.waiting, sight),
  });
}

function judgeLease(state: Seeking): Seeking {
  const { sight } = state;
  const why =
    sight.kind === 'unordered'
      ? 'its resourceVersion is no decimal integer, so no fencing token can be had'
      : sight.kind === 'present' && sight.lease.strategy !== null
        ? `its strategy ${sight.lease.strategy} leaves the choice of holder to coordinated leader election`
        : null;
  if (why === null || state.failure !== null) return state;
  if (sight.kind !== 'present' && sight.kind !== 'unordered') return state;
  return { ...state, failure: new UnsupportedLeaseError(keyOf(sight.lease.key), why) };
}

function seekingSettled(
  state: Seeking,
  stamp: number,
  verdict: Verdict,
  now: Instant,
  terms: Terms,
): State {
  const isAnnouncement = state.writes.some(
    (one) => one.stamp === stamp && one.intent === 'announce',
  );
  // Nothing depends on it: the next occasion comes by itself.
  if (isAnnouncement && verdict.kind !== 'unknown') return without(state, stamp);
  if (verdict.kind === 'refused') {
    return refused(without(state, stamp), 'write', verdict, now);
  }
  if (verdict.kind === 'altered') return altered(without(state, stamp), verdict.lease, terms);
  if (verdict.kind === 'unknown') return { ...overdue(state, stamp), readAt: now.monotonic };
  const proven = prove(state.proven, 'write');
  // Absent from the list: the news that came with the answer, or before it, settled it already.
  if (!isOpen(state, stamp)) return { ...state, proven };
  const grace = state.watched && terms.aim === 'hold' ? EVENT_GRACE_MS : 0;
  return { ...without(state, stamp), proven, readAt: now.monotonic + grace };
}

/** Trying again would keep everyone out for one duration after the other, and win nothing. */
function altered(state: Seeking, lease: Lease, { identity }: Terms): Seeking {
  const { holder } = lease.record;
  const how =
    holder === identity
      ? 'removes or changes the annotation by which a claim is recognized'
      : `stores ${JSON.stringify(holder)} as the holder in place of ${JSON.stringify(identity)}`;
  const why = `something between this process and the storage (an admission policy, a webhook, a proxy) ${how}`;
  const failure = state.failure ?? new UnsupportedLeaseError(keyOf(lease.key), why);
  return { ...state, failure, unmarked: lease.version };
}

function seekingAnswered(
  state: Seeking,
  request: Exclude<Request, 'write'>,
  verdict: Verdict,
  now: Instant,
): State {
  if (request === 'announce') {
    return { ...state, waiting: announcementAnswered(state.waiting, verdict, now.monotonic) };
  }
  const next: Seeking = { ...state, asking: null };
  if (verdict.kind === 'refused') return refused(next, request, verdict, now);
  if (verdict.kind === 'unknown') return { ...next, retryAt: now.monotonic + RETRY_PAUSE_MS };
  const proven = prove(state.proven, request);
  if (verdict.kind === 'conflict') return { ...next, proven, readAt: now.monotonic };
  if (request !== 'read') return { ...next, proven };
  // Nothing newer was found, so the doubt has no explanation: do not ask and write in a tight loop.
  const retryAt = state.readAt === null ? state.retryAt : now.monotonic + RETRY_PAUSE_MS;
  return { ...next, proven, looked: true, readAt: null, retryAt };
}

/** A first refusal is told at once, since waiting will not mend it; a later one may be passing. */
function refused(
  state: Seeking,
  request: Request,
  verdict: Extract<Verdict, { kind: 'refused' }>,
  now: Instant,
): Seeking {
  if (!verdict.transient && !wasAllowed(state, request, verdict.error)) {
    return { ...state, failure: verdict.error };
  }
  const pause = verdict.transient ? RETRY_PAUSE_MS : REFUSED_PAUSE_MS;
  return { ...state, retryAt: now.monotonic + pause };
}

function stopSeeking(state: Seeking, now: Instant, terms: Terms): State {
  const { sight, writes, waiting, lastStamp, unmarked } = state;
  // A claim that was learnt too late to win stands in the record, and nobody else may take it.
  const isOurs = sight.kind === 'present' && isOwn(sight, terms, unmarked);
  const mayStand = waiting.isAnnouncing || isAnnouncedIn(sight, terms);
  if (writes.length === 0 && !isOurs && !mayStand) {
    return { kind: 'over', end: { how: 'withdrawn' } };
  }
  // The former holder may believe still: what a claim in its place has left, or leaves yet, has to run out.
  if (terms.evicts !== undefined) return { kind: 'over', end: { how: 'left' } };
  // A claim that is not answered yet is waited for; one in doubt is looked for first.
  const isInDoubt = writes.length > 0 && !writes.some((one) => one.awaited);
  const readAt = isInDoubt ? now.monotonic : null;
  return clearUp({ sight, writes, readAt, lastStamp, unmarked, wasHeld: false }, now, waiting);
}

/** Whether it has been done before; credentials that were accepted for anything are good for everything. */
export function wasAllowed({ proven }: Seeking, request: Request, { code }: SyncError): boolean {
  return code === 'ERR_UNAUTHORIZED' ? proven.length > 0 : proven.includes(request);
}

function prove(proven: readonly Request[], request: Request): readonly Request[] {
  return proven.includes(request) ? proven : [...proven, request];
}
