/**
 * Pure: events of a holder. Belief grows by stamps seen in the record, and ends by the clock or by news.
 */
import type { LossReason } from '../../errors.js';
import type { Instant } from '../clock.js';
import type { Sight } from './sight.js';
import type { Event, Holding, State, Terms, Verdict } from './state.js';
import { fullBeliefMs } from './step.js';
import { clearUp } from './vacating.js';
import {
  REFUSED_PAUSE_MS,
  RETRY_PAUSE_MS,
  common,
  isOpen,
  landedWrite,
  overdue,
  stillPossible,
  without,
} from './writes.js';

/** May the holder still act? Asks the clock, never a flag. */
export function isHeld(state: State, now: Instant): boolean {
  return state.kind === 'holding' && now.elapsed < state.heldUntil;
}

export function beliefFrom(sentAt: number, terms: Terms): number {
  return sentAt + fullBeliefMs(terms);
}

export function holding(state: Holding, event: Event, now: Instant, terms: Terms): State {
  switch (event.type) {
    case 'news':
      return holdingNews(state, event.sight, terms);
    case 'settled':
      return holdingSettled(state, event.stamp, event.verdict, now);
    case 'answered': {
      // It won while the announcement was on its way; its next write takes that away.
      if (event.request === 'announce') return state;
      const failed = event.verdict.kind === 'unknown' || event.verdict.kind === 'refused';
      const next = { ...state, asking: null };
      if (failed) return { ...next, readAt: now.elapsed + RETRY_PAUSE_MS };
      // Nothing newer was found, so the doubt has no explanation: do not ask and write in a tight loop.
      const earliest = state.readAt === null ? state.renewAt : now.elapsed + RETRY_PAUSE_MS;
      return { ...next, readAt: null, renewAt: Math.max(state.renewAt, earliest) };
    }
    case 'silent':
      return { ...overdue(state, event.stamp), renewAt: now.elapsed + RETRY_PAUSE_MS };
    case 'watch':
      // A renewal finds out what was missed as well as a read does: it lands, or meets another version. And it
      // keeps the term where reads fail and writes do not.
      return event.gap ? { ...state, renewAt: Math.min(state.renewAt, now.elapsed) } : state;
    case 'abandon':
      return { kind: 'over', end: { how: 'left' } };
    case 'stop': {
      // A renewal in flight is abandoned: if it lands first, the vacating write finds out.
      const { sight, lastStamp } = state;
      return clearUp(
        { sight, writes: [], readAt: null, lastStamp, unmarked: null, wasHeld: true },
        now,
      );
    }
    default:
      return common(state, event, now);
  }
}

function holdingNews(state: Holding, sight: Sight, terms: Terms): State {
  if (sight.kind === 'absent') return lost(state, 'deleted');
  if (sight.kind !== 'present') return state;
  if (sight.lease.uid !== state.sight.lease.uid) return lost(state, 'deleted');
  if (sight.lease.mark?.nonce !== terms.nonce) return lost(state, 'taken-over');
  const landed = landedWrite(state.writes, state.sight, sight, terms);
  const readAt = sight.serial === state.sight.serial ? state.readAt : null;
  const next = { ...state, sight, writes: stillPossible(state.writes, sight), readAt };
  if (landed?.sentAt == null) return next;
  const heldUntil = Math.max(state.heldUntil, beliefFrom(landed.sentAt, terms));
  return { ...next, heldUntil, renewAt: landed.sentAt + terms.renewIntervalMs };
}

function holdingSettled(state: Holding, stamp: number, verdict: Verdict, now: Instant): State {
  // Absent from the list: news settled it already, by the stamp or by a newer version.
  if (!isOpen(state, stamp)) return state;
  const retryAt = now.elapsed + RETRY_PAUSE_MS;
  switch (verdict.kind) {
    case 'conflict':
      return { ...without(state, stamp), readAt: now.elapsed, renewAt: now.elapsed };
    case 'unknown':
      return { ...overdue(state, stamp), renewAt: retryAt };
    case 'ok':
    case 'altered':
      return { ...without(state, stamp), renewAt: retryAt };
    case 'refused': {
      const pause = verdict.transient ? RETRY_PAUSE_MS : REFUSED_PAUSE_MS;
      return { ...without(state, stamp), renewAt: now.elapsed + pause };
    }
  }
}

export function lost(state: Holding, reason: LossReason): State {
  return { kind: 'over', end: { how: 'lost', reason, token: state.token } };
}
