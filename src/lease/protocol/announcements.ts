/**
 * Pure: how a waiter that is passed over gets its turn.
 *
 * A process that is a few milliseconds further away from the API server, or that may not watch, hears of every
 * vacancy when a nearer one has claimed already. Hold-off cannot help it. So it announces itself: it writes an
 * annotation onto the lease, and whoever sees the next vacancy leaves it alone for as long as the announcement
 * asks. Several announcements have their turns one after the other, the longest wait first. A claim takes the
 * announcement away whose turn it was, so one of a waiter that is gone costs one such pause.
 *
 * Where no waiter announces itself, nothing is left alone: a process without rivals pays nothing.
 */
import { LONGEST_STAND_BACK_MS, isVacant, type Announcement, type Lease } from '../record.js';
import type { Pace } from './contention.js';
import type { Present, Sight } from './sight.js';
import type { Terms, Verdict, Waiting, Write } from './state.js';

/** A waiter that has waited for so long, and sees others get the lease, announces itself. */
export const ANNOUNCE_AFTER_MS = 2_000;

/** An announcement that had its turn in vain is written again, this long after the last one at the earliest. */
const ANNOUNCE_AGAIN_MS = 500;

/** More announcements than this would wait for each other longer than they wait for the lease. */
const MOST_ANNOUNCEMENTS = 8;

/** How often a waiter without a watch looks while others leave vacancies alone for it. */
export const ANNOUNCED_POLL_MS = 200;

/** What the others are asked for: time for the event and the claim, twice, and for processors that are busy. */
const STAND_BACK = { roundTrips: 4, slackMs: 50, withoutWatchMs: ANNOUNCED_POLL_MS };

export function beginWaiting(now: number): Waiting {
  return {
    ...{ since: now, firstTerm: null, hasChangedHands: false },
    ...{ isAnnouncing: false, announceAt: now, mayPatch: true },
  };
}

/** A lease that is held shows whose term it is: by the nonce, or, of another library, by its transitions. */
export function sawTerm(waiting: Waiting, sight: Sight): Waiting {
  if (sight.kind !== 'present' || isVacant(sight.lease.record)) return waiting;
  const { record, mark } = sight.lease;
  const term = mark?.nonce ?? `transitions ${record.transitions}`;
  if (waiting.firstTerm === null) return { ...waiting, firstTerm: term };
  return term === waiting.firstTerm ? waiting : { ...waiting, hasChangedHands: true };
}

/** The one that may claim the next vacancy at once. */
export function turnOf(lease: Pick<Lease, 'waiting'>): Announcement | undefined {
  return inTurn(lease)[0];
}

/** The longest wait first. Durations are compared, never clocks. */
function inTurn({ waiting }: Pick<Lease, 'waiting'>): readonly Announcement[] {
  return [...waiting].sort((a, b) => b.waitedMs - a.waitedMs || (a.id < b.id ? -1 : 1));
}

export function isAnnounced(
  { waiting }: Pick<Lease, 'waiting'>,
  { announcementId }: Terms,
): boolean {
  return waiting.some(({ id }) => id === announcementId);
}

export function isAnnouncedIn(sight: Sight, terms: Terms): boolean {
  return sight.kind === 'present' && isAnnounced(sight.lease, terms);
}

/** How long a vacancy is left alone before this attempt claims it. */
export function hesitationMs(lease: Lease, holdOffMs: number, { announcementId }: Terms): number {
  const turn = turnOf(lease);
  if (turn === undefined) return holdOffMs;
  return turn.id === announcementId ? 0 : turn.standBackMs + holdOffMs;
}

/**
 * What a write of the attempt takes away: its own announcement, and, when it claims, the one whose turn it was. Waiters
 * that announce themselves in the same instant do not see each other: a claim takes away those beyond eight as well,
 * the shortest waits, and one that still waits announces itself again.
 */
export function endedBy(
  intent: Write['intent'],
  lease: Lease,
  { announcementId }: Terms,
): readonly string[] {
  const isTurn = intent === 'claim' && isVacant(lease.record);
  const isEnded = (place: number): boolean => place === 0 || place >= MOST_ANNOUNCEMENTS;
  return inTurn(lease).flatMap(({ id }, place) =>
    id === announcementId || (isTurn && isEnded(place)) ? [id] : [],
  );
}

/** When the attempt announces itself if nothing changes, on the monotonic clock; `Infinity` for never. */
export function announcementDue(waiting: Waiting, { lease }: Present, terms: Terms): number {
  const { announceAfterMs } = terms;
  const isPassedOver = waiting.hasChangedHands && !waiting.isAnnouncing;
  // Only a holder that knows announcements keeps them, and leaves the next vacancy alone.
  const isHeard = lease.mark !== null && lease.waiting.length < MOST_ANNOUNCEMENTS;
  if (announceAfterMs === null || !isPassedOver || !isHeard) return Infinity;
  if (isAnnounced(lease, terms)) return Infinity;
  return Math.max(waiting.since + announceAfterMs, waiting.announceAt);
}

export function announcementOf(
  { since }: Waiting,
  { roundTripMs }: Pace,
  isWatched: boolean,
  now: number,
  { announcementId: id }: Terms,
): Announcement {
  const { roundTrips, slackMs, withoutWatchMs } = STAND_BACK;
  const standBackMs = roundTrips * roundTripMs + slackMs + (isWatched ? 0 : withoutWatchMs);
  return {
    id,
    waitedMs: Math.round(now - since),
    standBackMs: Math.round(Math.min(standBackMs, LONGEST_STAND_BACK_MS)),
  };
}

/** An announcement leaves now; one that is a compare-and-swap is in the book of writes besides. */
export function announcing(waiting: Waiting, form: 'announce' | 'write', now: number): Waiting {
  const announceAt = now + ANNOUNCE_AGAIN_MS;
  return { ...waiting, isAnnouncing: form === 'announce', announceAt };
}

/** Whatever the answer is, the wait goes on. Where patches are refused, the other form is tried next. */
export function announcementAnswered(waiting: Waiting, verdict: Verdict, now: number): Waiting {
  const next = { ...waiting, isAnnouncing: false };
  const isRefused = verdict.kind === 'refused' && !verdict.transient;
  return isRefused ? { ...next, announceAt: now, mayPatch: false } : next;
}
