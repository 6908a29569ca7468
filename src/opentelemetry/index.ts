/// <reference types="node" preserve="true" />
/**
 * Spans of all locks and elections of a process, for OpenTelemetry. Needs `@opentelemetry/api`, which is not
 * installed with this package.
 *
 * ```ts
 * import { recordSpans } from '@metaparticle/sync/opentelemetry';
 *
 * recordSpans();
 * ```
 *
 * @packageDocumentation
 */
import { trace, type TracerProvider } from '@opentelemetry/api';
import { listen } from '../diagnostics.js';
import { InvalidOptionError } from '../errors.js';
import { rejectUnknown } from '../options.js';
import { SpanRecorder } from './recorder.js';

/** For {@link recordSpans}. */
export interface SpanOptions {
  /** Where the spans go. Default: the provider that was registered for the process. */
  readonly tracerProvider?: TracerProvider | undefined;
}

const taken = new WeakSet<TracerProvider>();

/**
 * From now on each attempt to take a lease is a span, `lease.acquire`, and each term another one, `lease.hold`, by
 * locks and elections of all clients of this process. Both are children of the span in which the lock was asked for
 * or the election was run. Their attributes are listed in docs/operations.md.
 *
 * @returns ends it; spans that are open by then are ended as they are
 * @throws InvalidOptionError when the provider gets them already
 */
export function recordSpans(options: SpanOptions = {}): () => void {
  rejectUnknown(options, ['tracerProvider']);
  const provider = options.tracerProvider ?? trace.getTracerProvider();
  if (typeof (provider as Partial<TracerProvider> | null)?.getTracer !== 'function') {
    throw new InvalidOptionError('tracerProvider', provider, 'must be a TracerProvider');
  }
  if (taken.has(provider)) {
    const rule = 'gets these spans already: call recordSpans once per provider';
    throw new InvalidOptionError('tracerProvider', 'a provider', rule);
  }
  taken.add(provider);
  const recorder = new SpanRecorder(provider.getTracer('@metaparticle/sync'));
  const stop = listen(recorder);
  return () => {
    stop();
    recorder.end();
    taken.delete(provider);
  };
}
