import {
  SpanStatusCode,
  context,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import {
  namesOf,
  type DetailedEvent,
  type DetailedStep,
  type DiagnosticsListener,
  type OutageMessage,
} from '../diagnostics.js';
import type { Event, State } from '../lease/protocol/state.js';

const PREFIX = 'metaparticle.sync';

/** Of one attempt. */
interface Attempt {
  readonly acquire: Span;
  readonly parent: Context;
  readonly attributes: Attributes;
  hold: Span | null;
}

/**
 * Turns what is published of attempts into spans. Knows attempts from their first message to their end. Spans begin and
 * end when the messages come, by the tracer's clock, so that they line up with the spans of other libraries.
 */
export class SpanRecorder implements DiagnosticsListener {
  readonly #tracer: Tracer;
  readonly #attempts = new Map<string, Attempt>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  step(message: DetailedStep): void {
    const { step, state } = message.detail;
    const acquire = this.#attemptOf(message, state)?.acquire;
    if (acquire === undefined) return;
    if (step.do === 'yield') acquire.setAttribute(`${PREFIX}.outcome`, 'busy');
    if (step.do !== 'fail') return;
    const { code, message: text } = step.error;
    acquire.setAttributes({ [`${PREFIX}.outcome`]: 'failed', 'error.type': code });
    acquire.setStatus({ code: SpanStatusCode.ERROR, message: text });
  }

  event(message: DetailedEvent): void {
    const { event, before, after } = message.detail;
    const attempt = this.#attemptOf(message, before);
    if (attempt === null) return;
    // First: a span processor may throw at what follows.
    if (after.kind === 'over') this.#attempts.delete(message.nonce);
    remark(attempt.hold ?? attempt.acquire, event);
    if (before.kind === 'seeking' && after.kind !== 'seeking') this.#endSeeking(attempt, after);
    if (before.kind === 'holding' && after.kind !== 'holding') endHolding(attempt, after);
  }

  /** Marked on all attempts at the lease that are under way. */
  outage({ lease, isUnreachable }: OutageMessage): void {
    const what = isUnreachable ? 'API server unreachable' : 'API server reachable';
    for (const { acquire, hold, attributes } of this.#attempts.values()) {
      const { 'k8s.namespace.name': namespace, [`${PREFIX}.lease`]: name } = attributes;
      if (`${String(namespace)}/${String(name)}` === lease) (hold ?? acquire).addEvent(what);
    }
  }

  /** No more messages will come. */
  end(): void {
    for (const { acquire, hold } of this.#attempts.values()) (hold ?? acquire).end();
    this.#attempts.clear();
  }

  #endSeeking(attempt: Attempt, after: State): void {
    const { acquire, attributes, parent } = attempt;
    if (after.kind === 'holding') {
      const token = { [`${PREFIX}.fencing_token`]: String(after.token) };
      acquire.setAttributes({ [`${PREFIX}.outcome`]: 'acquired', ...token });
      const links = [{ context: acquire.spanContext() }];
      const options = { attributes: { ...attributes, ...token }, links };
      attempt.hold = this.#tracer.startSpan('lease.hold', options, parent);
    }
    acquire.end();
  }

  /** `null` for a term that was under way before the recorder listened. */
  #attemptOf(
    { lease, identity, nonce }: DetailedStep | DetailedEvent,
    { kind }: State,
  ): Attempt | null {
    const known = this.#attempts.get(nonce);
    if (known !== undefined || kind !== 'seeking') return known ?? null;
    const { namespace, name } = namesOf(lease);
    const attributes = {
      'k8s.namespace.name': namespace,
      [`${PREFIX}.lease`]: name,
      [`${PREFIX}.identity`]: identity,
    };
    // The keeper publishes in the asynchronous context of whoever asked for the lease.
    const parent = context.active();
    // Unless something else becomes of it, the attempt was called off.
    const withdrawn = { attributes: { ...attributes, [`${PREFIX}.outcome`]: 'withdrawn' } };
    const acquire = this.#tracer.startSpan('lease.acquire', withdrawn, parent);
    const attempt = { acquire, parent, attributes, hold: null };
    this.#attempts.set(nonce, attempt);
    return attempt;
  }
}

/** What is out of the ordinary. */
function remark(span: Span, event: Event): void {
  if (event.type === 'silent') span.addEvent('request unanswered');
  if (event.type === 'settled' && event.verdict.kind === 'conflict') span.addEvent('conflict');
  if (event.type === 'watch' && !event.live) span.addEvent('watch interrupted');
}

function endHolding({ hold }: Attempt, after: State): void {
  if (after.kind === 'over' && after.end.how === 'lost') {
    const { reason } = after.end;
    hold?.setAttribute(`${PREFIX}.loss_reason`, reason);
    hold?.setStatus({ code: SpanStatusCode.ERROR, message: `lost: ${reason}` });
  }
  hold?.end();
}
