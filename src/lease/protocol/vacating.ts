/**
 * Pure: events of an attempt that ended and clears up behind itself: not held any more, whatever is pending.
 */
import type { Instant } from '../clock.js';
import { isVacant, type Lease } from '../record.js';
import { announcementAnswered, beginWaiting, isAnnounced } from './announcements.js';
import type { Event, State, Terms, Vacating, Verdict, Waiting } from './state.js';
import {
  RETRY_PAUSE_MS,
  common,
  isOpen,
  isOwn,
  landedWrite,
  overdue,
  stillPossible,
  without,
} from './writes.js';

/** How long an ended attempt goes on clearing up behind itself. */
const GIVE_UP_MS = 5_000;

export function clearUp(
  from: Pick<Vacating, 'sight' | 'writes' | 'readAt' | 'lastStamp' | 'unmarked' | 'wasHeld'>,
  now: Instant,
  waiting: Waiting = beginWaiting(now.monotonic),
): Vacating {
  const giveUpAt = now.monotonic + GIVE_UP_MS;
  const fresh = { asking: null, retryAt: now.monotonic, confirmed: false } as const;
  return { kind: 'vacating', ...from, ...fresh, giveUpAt, waiting, hasWithdrawn: false };
}

export function vacating(state: Vacating, event: Event, now: Instant, terms: Terms): State {
  return settle(absorb(state, event, now, terms), now, terms);
}

function absorb(state: Vacating, event: Event, now: Instant, terms: Terms): Vacating {
  switch (event.type) {
    case 'news': {
      const landed = landedWrite(state.writes, state.sight, event.sight, terms);
      const isChange = event.sight.serial !== state.sight.serial;
      return {
        ...state,
        sight: event.sight,
        writes: stillPossible(state.writes, event.sight),
        readAt: isChange ? null : state.readAt,
        confirmed: state.confirmed || landed?.intent === 'vacate',
      };
    }
    case 'settled':
      return vacatingSettled(state, event.stamp, event.verdict, now);
    case 'answered': {
      if (event.request === 'announce') {
        const waiting = announcementAnswered(state.waiting, event.verdict, now.monotonic);
        return { ...state, waiting };
      }
      const failed = event.verdict.kind === 'unknown' || event.verdict.kind === 'refused';
      // Deleting is a courtesy, tried once: the lease is vacant already.
      if (event.request === 'delete') return { ...state, asking: null, giveUpAt: now.monotonic };
      const next = { ...state, asking: null };
      if (failed)
        return { ...next, readAt: now.monotonic, retryAt: now.monotonic + RETRY_PAUSE_MS };
      const retryAt = state.readAt === null ? state.retryAt : now.monotonic + RETRY_PAUSE_MS;
      return { ...next, readAt: null, retryAt };
    }
    case 'silent':
      if (!isOpen(state, event.stamp)) return state;
      return { ...overdue(state, event.stamp), readAt: now.monotonic };
    case 'watch':
      return state;
    default:
      return common(state, event, now);
  }
}

function vacatingSettled(state: Vacating, stamp: number, verdict: Verdict, now: Instant): Vacating {
  if (verdict.kind === 'altered') {
    return { ...without(state, stamp), unmarked: verdict.lease.version };
  }
  if (!isOpen(state, stamp)) return state;
  const next = verdict.kind === 'unknown' ? overdue(state, stamp) : without(state, stamp);
  const retryAt = verdict.kind === 'refused' ? now.monotonic + RETRY_PAUSE_MS : state.retryAt;
  return { ...next, readAt: now.monotonic, retryAt };
}

/** Ends the clearing up when nothing of ours is left, nor can come, or when the effort is spent. */
function settle(state: Vacating, now: Instant, terms: Terms): State {
  const how = state.confirmed ? 'released' : state.wasHeld ? 'left' : 'withdrawn';
  if (now.monotonic >= state.giveUpAt) return { kind: 'over', end: { how } };
  const { sight, waiting } = state;
  const isPending = state.asking !== null || state.readAt !== null || state.writes.length > 0;
  if (isPending || waiting.isAnnouncing || sight.kind === 'unknown') return state;
  if (sight.kind === 'present') {
    if (isOwn(sight, terms, state.unmarked)) return state;
    if (isAnnounced(sight.lease, terms) && !state.hasWithdrawn) return state;
    if (state.confirmed && mayDelete(sight.lease, terms)) return state;
  }
  return { kind: 'over', end: { how } };
}

/** One that another waiter announced itself on is left, and with it the turn of that waiter. */
function mayDelete({ record, waiting }: Lease, { deleteOnRelease }: Terms): boolean {
  return deleteOnRelease && isVacant(record) && waiting.length === 0;
}
