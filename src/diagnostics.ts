import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { warn } from './callbacks.js';
import type { Event, State, Step } from './lease/protocol/state.js';
import { keyOf, type LeaseKey } from './lease/record.js';

/** Names of the `node:diagnostics_channel` channels this library publishes on. */
export const diagnosticsChannels = {
  /** A {@link StepMessage} for each step that is about to be performed, waiting left out. */
  step: 'metaparticle:sync:step',
  /** An {@link EventMessage} for each event, after it was taken in. */
  event: 'metaparticle:sync:event',
  /** An {@link OutageMessage} when a Lease gets no usable answer, and when that is over. */
  outage: 'metaparticle:sync:outage',
} as const;

/** What both kinds of message say of the attempt that they are about. */
export interface AttemptMessage {
  /** `namespace/name` of the Lease. */
  readonly lease: string;
  /** Who wants it. */
  readonly identity: string;
  /** Random; tells attempts at one lease apart. */
  readonly nonce: string;
  /** When, by the monotonic clock of the client: milliseconds, as `performance.now()` has them. */
  readonly at: number;
  /** The protocol's own values, for logs and replay. Their shape may change in any release. */
  readonly detail: unknown;
}

/** Something is about to be done. */
export interface StepMessage extends AttemptMessage {
  readonly step: 'read' | 'create' | 'write' | 'delete' | 'announce' | 'fail' | 'yield';
  /** What a write is for; `null` for other steps. */
  readonly intent: 'claim' | 'renew' | 'vacate' | 'bump' | 'announce' | null;
}

/** Something happened, and was taken in. */
export interface EventMessage extends AttemptMessage {
  readonly event:
    | 'begun'
    | 'news'
    | 'sent'
    | 'silent'
    | 'settled'
    | 'answered'
    | 'watch'
    | 'tick'
    | 'stop'
    | 'abandon';
  readonly before: 'seeking' | 'holding' | 'vacating' | 'over';
  readonly after: 'seeking' | 'holding' | 'vacating' | 'over';
  /** How a request ended, for `settled` and `answered`. */
  readonly verdict: 'ok' | 'altered' | 'conflict' | 'unknown' | 'refused' | null;
  /** The fencing token while holding. */
  readonly token: bigint | null;
}

/** The API server gives no usable answer about a Lease that is waited for or held here, or gives one again. */
export interface OutageMessage {
  /** `namespace/name` of the Lease. */
  readonly lease: string;
  /** URL of the API server. */
  readonly server: string;
  /** When, by the monotonic clock of the client: milliseconds, as `performance.now()` has them. */
  readonly at: number;
  /** `true` after 5 s without a usable answer; `false` with the next one, or when it is not waited for any more. */
  readonly isUnreachable: boolean;
}

/** The attempt that is spoken of. */
export interface Subject {
  readonly key: LeaseKey;
  readonly identity: string;
  readonly nonce: string;
}

const steps = channel(diagnosticsChannels.step);
const events = channel(diagnosticsChannels.event);
const outages = channel(diagnosticsChannels.outage);

/** A {@link StepMessage} with what its detail is in this version. */
export interface DetailedStep extends StepMessage {
  readonly detail: { readonly step: Step; readonly state: State };
}

/** An {@link EventMessage} with what its detail is in this version. */
export interface DetailedEvent extends EventMessage {
  readonly detail: { readonly event: Event; readonly before: State; readonly after: State };
}

/** Receives everything that is published. */
export interface DiagnosticsListener {
  step(message: DetailedStep): void;
  event(message: DetailedEvent): void;
  outage(message: OutageMessage): void;
}

/** The parts of a message's `lease`. A namespace has no slash in it. */
export function namesOf(lease: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = lease.split('/');
  return { namespace, name };
}

/**
 * Tells the listener from now on, until the returned function is called. Node.js ends a process whose subscriber throws.
 * A listener passes messages on to what others wrote, such as span processors: a fault there is a warning, once, and
 * costs neither the process nor a lock.
 */
export function listen(listener: DiagnosticsListener): () => void {
  let hasFailed = false;
  const guarded =
    (receive: (message: unknown) => void) =>
    (message: unknown): void => {
      try {
        receive(message);
      } catch (error) {
        if (!hasFailed) warn(error);
        hasFailed = true;
      }
    };
  const onStep = guarded((message) => listener.step(message as DetailedStep));
  const onEvent = guarded((message) => listener.event(message as DetailedEvent));
  const onOutage = guarded((message) => listener.outage(message as OutageMessage));
  subscribe(diagnosticsChannels.step, onStep);
  subscribe(diagnosticsChannels.event, onEvent);
  subscribe(diagnosticsChannels.outage, onOutage);
  return () => {
    unsubscribe(diagnosticsChannels.step, onStep);
    unsubscribe(diagnosticsChannels.event, onEvent);
    unsubscribe(diagnosticsChannels.outage, onOutage);
  };
}

/** Costs one property read while nobody listens. */
export function publishStep(
  subject: Subject,
  step: Exclude<Step, { do: 'wait' | 'end' }>,
  state: State,
  at: number,
): void {
  if (!steps.hasSubscribers) return;
  const { key, identity, nonce } = subject;
  const intent = step.do === 'write' ? step.write.intent : null;
  const detail = { step, state };
  steps.publish({
    lease: keyOf(key),
    identity,
    nonce,
    at,
    step: step.do,
    intent,
    detail,
  } satisfies DetailedStep);
}

/** As {@link publishStep}. */
export function publishEvent(
  subject: Subject,
  event: Event,
  before: State,
  after: State,
  at: number,
): void {
  if (!events.hasSubscribers) return;
  const { key, identity, nonce } = subject;
  events.publish({
    lease: keyOf(key),
    identity,
    nonce,
    at,
    event: event.type,
    before: before.kind,
    after: after.kind,
    verdict: 'verdict' in event ? event.verdict.kind : null,
    token: after.kind === 'holding' ? after.token : null,
    detail: { event, before, after },
  } satisfies DetailedEvent);
}

/** As {@link publishStep}. */
export function publishOutage(message: OutageMessage): void {
  if (outages.hasSubscribers) outages.publish(message);
}
