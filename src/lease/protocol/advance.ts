/**
 * Pure: what an event makes of a state. The rules, in one place:
 *
 * 1. Belief ends at `heldUntil`, on the holder's own clock, before any event is looked at; it never returns.
 * 2. Belief is extended by the *send* time of a write whose stamp is seen in the record, by nothing else.
 * 3. A record that is not ours, another uid or no lease at all ends a term at once.
 * 4. A write may land until a version newer than its base is seen; then it has landed or never will.
 * 5. A conflict, a lost reply and a refusal prove nothing about the holder: look, then decide.
 */
import type { Instant } from '../clock.js';
import { holding, isHeld, lost } from './holding.js';
import { seeking } from './seeking.js';
import { IllegalEventError, transitions, type Event, type State, type Terms } from './state.js';
import { vacating } from './vacating.js';
import { isOpen, type Live } from './writes.js';

/** @throws IllegalEventError for an event that has no place in this state */
export function advance(state: State, event: Event, now: Instant, terms: Terms): State {
  const allowed = transitions[state.kind][event.type];
  if (allowed === undefined)
    throw new IllegalEventError(state.kind, event.type, 'not in the table');
  const next = dispatch(state, event, now, terms);
  if (!allowed.includes(next.kind)) {
    throw new IllegalEventError(state.kind, event.type, `cannot lead to ${next.kind}`);
  }
  return next;
}

function dispatch(state: State, event: Event, now: Instant, terms: Terms): State {
  switch (state.kind) {
    case 'seeking':
      return isStale(state, event) ? state : seeking(state, event, now, terms);
    case 'holding':
      // First of all, and sticky: whatever the event says, it comes too late.
      if (!isHeld(state, now)) return lost(state, 'expired');
      return isStale(state, event) ? state : holding(state, event, now, terms);
    case 'vacating':
      return vacating(state, event, now, terms);
    case 'over':
      return state;
  }
}

/** About a write whose fate is known by now. */
function isStale(state: Live, event: Event): boolean {
  return (event.type === 'sent' || event.type === 'silent') && !isOpen(state, event.stamp);
}
