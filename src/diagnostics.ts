import { channel } from 'node:diagnostics_channel';
import type { Event, State, Step } from './lease/protocol/state.js';
import type { LeaseKey } from './lease/record.js';

/** Names of the `node:diagnostics_channel` channels this library publishes on. */
export const diagnosticsChannels = {
  /** A {@link StepMessage} for each step that is about to be performed, waiting left out. */
  step: 'metaparticle:sync:step',
  /** An {@link EventMessage} for each event, after it was taken in. */
  event: 'metaparticle:sync:event',
} as const;

interface Subject {
  readonly key: LeaseKey;
  readonly identity: string;
  /** Tells attempts at one lease apart. */
  readonly nonce: string;
}

export interface StepMessage extends Subject {
  readonly step: Step;
  readonly state: State;
}

export interface EventMessage extends Subject {
  readonly event: Event;
  readonly before: State;
  readonly after: State;
}

const steps = channel(diagnosticsChannels.step);
const events = channel(diagnosticsChannels.event);

/** Costs one property read while nobody listens. */
export function publishStep(message: () => StepMessage): void {
  if (steps.hasSubscribers) steps.publish(message());
}

/** As {@link publishStep}. */
export function publishEvent(message: () => EventMessage): void {
  if (events.hasSubscribers) events.publish(message());
}
