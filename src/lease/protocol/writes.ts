/**
 * Pure: the book of our own writes: which may still land, and which one a record shows to have landed.
 */
import type { Instant } from '../clock.js';
import type { Sight } from './sight.js';
import {
  IllegalEventError,
  type Event,
  type Holding,
  type Seeking,
  type Terms,
  type Vacating,
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

export function stillPossible(writes: readonly Write[], sight: Sight): readonly Write[] {
  // Each write names uid and version: it cannot land on another version, nor where there is no lease.
  return sight.kind === 'absent' ? [] : writes.filter((one) => one.base >= sight.version);
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
      return begin(state, event);
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

function begin<S extends Live>(state: S, { step }: Extract<Event, { type: 'begun' }>): S {
  if (state.asking !== null || state.writes.some((one) => one.awaited)) {
    throw new IllegalEventError(state.kind, 'begun', 'a request is under way');
  }
  switch (step.do) {
    case 'read':
    case 'create':
    case 'delete':
      return { ...state, asking: step.do };
    case 'write':
      return { ...state, writes: [...state.writes, step.write], lastStamp: step.write.stamp };
    default:
      throw new IllegalEventError(state.kind, 'begun', `${step.do} is nothing to begin`);
  }
}

/** Whether this write is still in doubt; one that is not was settled by news before. */
export function isOpen(state: Live, stamp: number): boolean {
  return state.writes.some((one) => one.stamp === stamp);
}
