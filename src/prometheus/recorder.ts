import {
  namesOf,
  type DetailedEvent,
  type DetailedStep,
  type DiagnosticsListener,
  type OutageMessage,
} from '../diagnostics.js';
import type { State } from '../lease/protocol/state.js';
import type { Metrics } from './metrics.js';

interface Labels {
  readonly namespace: string;
  readonly name: string;
}

/** Of one attempt; times by the monotonic clock of its client, milliseconds. */
interface Attempt {
  readonly begunAt: number;
  /** `null` before, and for a term that was under way before the recorder listened. */
  acquiredAt: number | null;
  /** When it learned that the lease is vacant. */
  vacantAt: number | null;
  /** Renewals on their way, by stamp. */
  readonly sentAt: Map<number, number>;
}

/** Turns what is published of attempts into metrics. Knows attempts from their first message to their end. */
export class MetricsRecorder implements DiagnosticsListener {
  readonly #metrics: Metrics;
  readonly #attempts = new Map<string, Attempt>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  step(message: DetailedStep): void {
    const { step, state } = message.detail;
    this.#attemptOf(message);
    const labels = namesOf(message.lease);
    if (step.do === 'read' && state.kind === 'holding') this.#metrics.slowPath.inc(labels);
    if (step.do === 'fail') this.#metrics.refusals.inc({ ...labels, code: step.error.code });
  }

  event(message: DetailedEvent): void {
    const attempt = this.#attemptOf(message);
    const labels = namesOf(message.lease);
    this.#count(message, labels);
    this.#course(attempt, message, labels);
    this.#renewals(attempt, message, labels);
    if (message.after === 'over') this.#attempts.delete(message.nonce);
  }

  outage({ lease, isUnreachable }: OutageMessage): void {
    this.#metrics.unreachable.set(namesOf(lease), isUnreachable ? 1 : 0);
  }

  /** What needs no memory of the attempt. */
  #count({ detail: { event, before, after } }: DetailedEvent, labels: Labels): void {
    const { status, losses, validity, conflicts, watchBreaks } = this.#metrics;
    if (after.kind === 'holding') status.set(labels, 1);
    if (before.kind === 'holding' && after.kind !== 'holding') status.set(labels, 0);
    if (after.kind === 'over' && after.end.how === 'lost') {
      losses.inc({ ...labels, reason: after.end.reason });
    }
    if (event.type === 'sent' && before.kind === 'holding' && after.kind === 'holding') {
      const sentAt = after.writes.find(({ stamp }) => stamp === event.stamp)?.sentAt ?? null;
      if (sentAt !== null) validity.observe(labels, seconds(sentAt, before.heldUntil));
    }
    if (event.type === 'settled' && event.verdict.kind === 'conflict') conflicts.inc(labels);
    if (event.type === 'watch' && !event.live) watchBreaks.inc(labels);
  }

  /** From the wish to the end. */
  #course(attempt: Attempt, { at, detail }: DetailedEvent, labels: Labels): void {
    const { before, after } = detail;
    const { acquireWait, handOff, held } = this.#metrics;
    if (after.kind === 'seeking') {
      attempt.vacantAt = isVacant(after) ? (attempt.vacantAt ?? at) : null;
    }
    if (before.kind === 'seeking' && after.kind === 'holding') {
      attempt.acquiredAt = at;
      acquireWait.observe(labels, seconds(attempt.begunAt, at));
      if (attempt.vacantAt !== null) handOff.observe(labels, seconds(attempt.vacantAt, at));
    }
    if (before.kind === 'holding' && after.kind !== 'holding' && attempt.acquiredAt !== null) {
      held.observe(labels, seconds(attempt.acquiredAt, at));
    }
  }

  #renewals(attempt: Attempt, { at, detail }: DetailedEvent, labels: Labels): void {
    const { event, before, after } = detail;
    if (event.type === 'sent' && before.kind === 'holding' && after.kind === 'holding') {
      attempt.sentAt.set(event.stamp, at);
    }
    if (event.type !== 'settled') return;
    const sentAt = attempt.sentAt.get(event.stamp);
    attempt.sentAt.delete(event.stamp);
    if (event.verdict.kind === 'ok' && sentAt !== undefined) {
      this.#metrics.renewal.observe(labels, seconds(sentAt, at));
    }
  }

  #attemptOf({ nonce, at, lease }: DetailedStep | DetailedEvent): Attempt {
    const known = this.#attempts.get(nonce);
    if (known !== undefined) return known;
    // There from the start, so that an alert can tell "all is well" from "nothing is known".
    this.#metrics.unreachable.inc(namesOf(lease), 0);
    // A follower exports 0; what another attempt of this process has set stays as it is.
    this.#metrics.status.inc(namesOf(lease), 0);
    const attempt = { begunAt: at, acquiredAt: null, vacantAt: null, sentAt: new Map() };
    this.#attempts.set(nonce, attempt);
    return attempt;
  }
}

function isVacant({ sight }: Extract<State, { kind: 'seeking' }>): boolean {
  return sight.kind === 'present' && sight.lease.record.holder === '';
}

function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1_000;
}
