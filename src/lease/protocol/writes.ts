/**
 * Pure: the book of our own writes: which may still land, and which one a record shows to have landed.
 */
import type { Instant } from '../clock.js';
import { isVacant, type Lease } from '../record.js';
import { announcing } from './announcements.js';
import type { Present, Sight } from './sight.js';
import {
  IllegalEventError,
  type Event,
  type Holding,
  type Seeking,
  type Step,
  type Terms,
  type Vacating,
  type Verdict,
  type Write,
} from './state.js';

export type Live = Seeking | Holding | Vacating;

/** Between the end of one attempt and the start of the next; a client paces its requests besides. */
export const RETRY_PAUSE_MS = 250;

/** After a refusal that may pass (a token being rotated, a rule being restored). */
export const REFUSED_PAUSE_MS = 1_000;

/**
 * The write of ours that a record shows, if any. A vacant record has no mark; it is ours by stamp and count of
 * transitions together, since another process may have taken over and released in the very moment of our stamp.
 *
 * @param before what was known when the writes were sent: a write that may still land replaces exactly that
 */
export function landedWrite(
  writes: readonly Write[],
  before: Sight,
  sight: Sight,
  terms: Terms,
): Write | undefined {
  if (sight.kind !== 'present') return undefined;
  const { record, mark } = sight.lease;
  const isSameTerm =
    before.kind === 'present' && before.lease.record.transitions === record.transitions;
  return writes.find(
    (one) =>
      one.stamp === record.renewTime &&
      (one.intent === 'vacate' ? record.holder === '' && isSameTerm : mark?.nonce === terms.nonce),
  );
}

/**
 * Whether a record is that of this attempt: it carries its nonce, or it is what a claim of this attempt became when
 * something removed the mark on the way.
 */
export function isOwn(
  { lease, version }: Present,
  { nonce }: Terms,
  unmarked: bigint | null,
): boolean {
  return lease.mark?.nonce === nonce || version === unmarked;
}

/**
 * What the answer to a write of ours says of it, by the lease as that write left it. An admission policy or a proxy may
 * remove or change what makes the record ours; then this attempt can never know its own record.
 */
export function verdictOf({ intent, base }: Write, lease: Lease, { nonce }: Terms): Verdict {
  const isMarked = intent === 'claim' || intent === 'renew';
  const isNew = lease.version !== null && lease.version > base;
  if (!isMarked || !isNew || lease.mark?.nonce === nonce) return { kind: 'ok' };
  return { kind: 'altered', lease };
}

export function stillPossible(writes: readonly Write[], sight: Sight): readonly Write[] {
  // Each write names uid and version: it cannot land on another version, nor where there is no lease.
  if (sight.kind === 'absent') return [];
  return writes.filter((one) => one.base >= sight.version || mayBeAltered(one, sight));
}

/** The record may be what a claim of ours became, without its mark: the answer tells, and is waited for. */
function mayBeAltered({ intent, stamp, awaited }: Write, sight: Sight): boolean {
  if (intent !== 'claim' || !awaited || sight.kind !== 'present') return false;
  const { record, mark } = sight.lease;
  return mark === null && !isVacant(record) && record.renewTime === stamp;
}

export function without<S extends Live>(state: S, stamp: number): S {
  return { ...state, writes: state.writes.filter((one) => one.stamp !== stamp) };
}

export function overdue<S extends Live>(state: S, stamp: number): S {
  const writes = state.writes.map((one) =>
    one.stamp === stamp ? { ...one, awaited: false } : one,
  );
  return { ...state, writes };
}

export function common<S extends Live>(state: S, event: Event, now: Instant): S {
  switch (event.type) {
    case 'begun':
      return begin(state, event, now);
    case 'sent': {
      const writes = state.writes.map((one) =>
        one.stamp === event.stamp ? { ...one, sentAt: now.elapsed } : one,
      );
      return { ...state, writes };
    }
    default:
      return state;
  }
}

function begin<S extends Live>(
  state: S,
  { step }: Extract<Event, { type: 'begun' }>,
  now: Instant,
): S {
  if (state.asking !== null || state.writes.some((one) => one.awaited)) {
    throw new IllegalEventError(state.kind, 'begun', 'a request is under way');
  }
  switch (step.do) {
    case 'read':
    case 'create':
    case 'delete':
      return { ...state, asking: step.do };
    case 'write': {
      const next = { ...state, writes: [...state.writes, step.write], lastStamp: step.write.stamp };
      return beginAnnouncing(next, step, now);
    }
    case 'announce':
      return beginAnnouncing(state, step, now);
    default:
      throw new IllegalEventError(state.kind, 'begun', `${step.do} is nothing to begin`);
  }
}

function beginAnnouncing<S extends Live>(
  state: S,
  step: Extract<Step, { do: 'write' | 'announce' }>,
  now: Instant,
): S {
  switch (state.kind) {
    case 'seeking': {
      const isAnnouncement = step.do === 'announce' || step.write.intent === 'announce';
      if (!isAnnouncement) return state;
      return { ...state, waiting: announcing(state.waiting, step.do, now.monotonic) };
    }
    case 'vacating': {
      // Whatever it writes takes its announcement away; to try that once is enough.
      const waiting = announcing(state.waiting, step.do, now.monotonic);
      return { ...state, waiting, hasWithdrawn: true };
    }
    case 'holding':
      return state;
  }
}

/** Whether this write is still in doubt; one that is not was settled by news before. */
export function isOpen(state: Live, stamp: number): boolean {
  return state.writes.some((one) => one.stamp === stamp);
}
