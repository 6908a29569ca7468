import type { DiagnosticsListener, EventMessage, StepMessage } from '../diagnostics.js';
import type { Event, State, Step } from '../lease/protocol/state.js';
import type { Metrics } from './metrics.js';

interface EventDetail {
  readonly event: Event;
  readonly before: State;
  readonly after: State;
}

interface StepDetail {
  readonly step: Step;
  readonly state: State;
}

interface Labels {
  readonly namespace: string;
  readonly name: string;
}

/** Of one attempt; times by the monotonic clock, milliseconds. */
interface Attempt {
  readonly begunAt: number;
  acquiredAt: number | null;
  /** When it learnt that nobody holds the lease. */
  vacantAt: number | null;
  /** Renewals on their way, by stamp. */
  readonly sentAt: Map<number, number>;
}

/** Turns what is published of attempts into metrics. Knows attempts from their first message to their end. */
export class Recorder implements DiagnosticsListener {
  readonly #metrics: Metrics;
  readonly #attempts = new Map<string, Attempt>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  step(message: StepMessage): void {
    const labels = labelsOf(message.lease);
    this.#attemptOf(message.nonce);
    const { step, state } = message.detail as StepDetail;
    if (step.do === 'read' && state.kind === 'holding') this.#metrics.slowPath.inc(labels);
    if (step.do === 'fail') this.#metrics.refusals.inc({ ...labels, code: step.error.code });
  }

  event(message: EventMessage): void {
    const labels = labelsOf(message.lease);
    const attempt = this.#attemptOf(message.nonce);
    const detail = message.detail as EventDetail;
    const now = performance.now();
    this.#course(attempt, detail, labels, now);
    this.#requests(attempt, detail, labels, now);
    if (detail.after.kind === 'over') this.#attempts.delete(message.nonce);
  }

  /** From the wish to the end. */
  #course(attempt: Attempt, { before, after }: EventDetail, labels: Labels, now: number): void {
    const { status, acquireWait, handOff, held, losses } = this.#metrics;
    if (after.kind === 'seeking') {
      attempt.vacantAt = isVacant(after) ? (attempt.vacantAt ?? now) : null;
    }
    if (before.kind !== 'holding' && after.kind === 'holding') {
      attempt.acquiredAt = now;
      status.set(labels, 1);
      acquireWait.observe(labels, seconds(attempt.begunAt, now));
      if (attempt.vacantAt !== null) handOff.observe(labels, seconds(attempt.vacantAt, now));
    }
    if (before.kind === 'holding' && after.kind !== 'holding') {
      status.set(labels, 0);
      held.observe(labels, seconds(attempt.acquiredAt ?? now, now));
    }
    if (after.kind === 'over' && after.end.how === 'lost') {
      losses.inc({ ...labels, reason: after.end.reason });
    }
  }

  #requests(
    attempt: Attempt,
    { event, before, after }: EventDetail,
    labels: Labels,
    now: number,
  ): void {
    const { conflicts, watchBreaks, renewal, validity } = this.#metrics;
    if (event.type === 'sent' && before.kind === 'holding' && after.kind === 'holding') {
      const sentAt = after.writes.find(({ stamp }) => stamp === event.stamp)?.sentAt ?? null;
      if (sentAt !== null) validity.observe(labels, seconds(sentAt, before.heldUntil));
      attempt.sentAt.set(event.stamp, now);
    }
    if (event.type === 'settled') {
      if (event.verdict.kind === 'conflict') conflicts.inc(labels);
      const sentAt = attempt.sentAt.get(event.stamp);
      attempt.sentAt.delete(event.stamp);
      if (event.verdict.kind === 'ok' && sentAt !== undefined) {
        renewal.observe(labels, seconds(sentAt, now));
      }
    }
    if (event.type === 'watch' && !event.live) watchBreaks.inc(labels);
  }

  #attemptOf(nonce: string): Attempt {
    const known = this.#attempts.get(nonce);
    if (known !== undefined) return known;
    const begunAt = performance.now();
    const attempt = { begunAt, acquiredAt: null, vacantAt: null, sentAt: new Map() };
    this.#attempts.set(nonce, attempt);
    return attempt;
  }
}

function isVacant({ sight }: Extract<State, { kind: 'seeking' }>): boolean {
  return sight.kind === 'present' && sight.lease.record.holder === '';
}

function labelsOf(lease: string): Labels {
  const [namespace = '', name = ''] = lease.split('/');
  return { namespace, name };
}

function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1_000;
}
