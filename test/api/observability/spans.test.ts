// The spans that locks and elections leave behind.
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InvalidOptionError } from '@metaparticle/sync';
import { recordSpans } from '@metaparticle/sync/opentelemetry';
import { SpanStatusCode, context, trace, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { candidate } from '../../support/candidate.js';
import { Cluster } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';
import { codeIn, rowsOf } from '../../../tools/docs/tables.js';
import { root } from '../../../tools/docs/source.js';

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
const tracer = tracerProvider.getTracer('test');

let end: () => void;
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  end = recordSpans({ tracerProvider });
});
afterAll(async () => {
  end();
  await tracerProvider.shutdown();
});
beforeEach(() => exporter.reset());

function spans(name: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

function outcomes(): unknown[] {
  return spans('lease.acquire').map(({ attributes }) => attributes['metaparticle.sync.outcome']);
}

function traceOf(span: ReadableSpan | undefined): unknown[] {
  return [span?.spanContext().traceId, span?.parentSpanContext?.spanId];
}

function within<T>(span: Span, act: () => T): T {
  return context.with(trace.setSpan(context.active(), span), act);
}

describe('spans of a lock', () => {
  it('are one of the way to it and one of the time it is held, within the one that asked', async () => {
    await using cluster = await Cluster.start();
    const asking = tracer.startSpan('request');
    const handle = await within(asking, () => cluster.lock('traced').acquire());
    const [acquire] = spans('lease.acquire');
    expect(spans('lease.hold')).toEqual([]);
    await handle.release();
    asking.end();
    const [hold] = spans('lease.hold');
    const lease = { 'k8s.namespace.name': 'default', 'metaparticle.sync.lease': 'traced' };
    const token = String(handle.fencingToken);
    const attributes = {
      ...{ ...lease, 'metaparticle.sync.identity': 'me', 'metaparticle.sync.fencing_token': token },
    };
    expect(acquire?.attributes).toEqual({ ...attributes, 'metaparticle.sync.outcome': 'acquired' });
    expect(hold?.attributes).toEqual(attributes);
    expect(hold?.links.map((link) => link.context)).toEqual([acquire?.spanContext()]);
    const { traceId, spanId } = asking.spanContext();
    expect([acquire, hold].map(traceOf)).toEqual([
      [traceId, spanId],
      [traceId, spanId],
    ]);
    expect([acquire?.status.code, hold?.status.code]).toEqual([0, 0]);
  });

  it('say that an attempt was called off, or gave way', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('busy').acquire();
    const other = cluster.elsewhere('busy', 'b');
    expect(await other.tryAcquire()).toBeNull();
    await cluster.settled(rejection(other.acquire({ timeoutMs: 50 })));
    expect(outcomes()).toEqual(['acquired', 'busy', 'withdrawn']);
  });

  it('say why a term was lost', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('lost').acquire();
    cluster.api.leases.delete('default', 'lost');
    await cluster.advance(0);
    const [hold] = spans('lease.hold');
    expect(hold?.attributes['metaparticle.sync.loss_reason']).toBe('deleted');
    expect(hold?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'lost: deleted' });
  });

  it('say why an attempt failed', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ verb: 'create' });
    const { message } = (await rejection(cluster.lock('refused').acquire())) as Error;
    await cluster.advance(0);
    expect(outcomes()).toEqual(['failed']);
    const [failed] = spans('lease.acquire');
    expect(failed?.attributes['error.type']).toBe('ERR_FORBIDDEN');
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message });
  });

  it('remark on conflicts, unanswered requests and interrupted watches', async () => {
    await using cluster = await Cluster.start();
    const { api } = cluster;
    const handle = await cluster.lock('edited').acquire();
    await cluster.advance(100);
    api.faults.resetWatches();
    await cluster.advance(100);
    api.faults.stallWatch();
    api.leases.edit('default', 'edited', ({ metadata }) => (metadata.labels = { a: 'b' }));
    await cluster.until('the renewal', () => api.requests.count({ verb: 'update' }) === 3);
    api.faults.hang({ times: 1 });
    await cluster.advance(2_000);
    await cluster.settled(handle.release());
    const remarks = spans('lease.hold').flatMap(({ events }) => events.map(({ name }) => name));
    // In the end the watch that delivers nothing is given up.
    expect(remarks).toEqual([
      'watch interrupted',
      'conflict',
      'request unanswered',
      'watch interrupted',
    ]);
  });

  it('remark on an API server that gives no answer, and on its return', async () => {
    await using cluster = await Cluster.start();
    const fault = cluster.api.faults.dropBefore();
    const waiting = cluster.lock('cut-off').acquire();
    await cluster.advance(6_000);
    fault.remove();
    await cluster.settled(waiting);
    const [acquire] = spans('lease.acquire');
    const remarks = acquire?.events.map(({ name }) => name);
    expect(remarks).toEqual(['API server unreachable', 'API server reachable']);
  });
});

describe('a span processor that throws', () => {
  it.each(['onStart', 'onEnd'] as const)(
    'at %s costs neither the process nor the lock',
    async (at) => {
      const fault = new Error(`${at} failed`);
      const processor = {
        ...{ onStart: () => undefined, onEnd: () => undefined },
        ...{ forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() },
        [at]: () => {
          throw fault;
        },
      };
      const warn = jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
      const stop = recordSpans({
        tracerProvider: new BasicTracerProvider({ spanProcessors: [processor] }),
      });
      try {
        await using cluster = await Cluster.start();
        const handle = await cluster.lock('traced').acquire();
        expect(handle.isHeld()).toBe(true);
        expect(await handle.release()).toBe(true);
        // What a subscriber throws comes after the current tick.
        await cluster.advance(1);
        expect(warn.mock.calls.map(([what]) => what)).toEqual([fault]);
        // The recorder beside it has all of its spans.
        expect(outcomes()).toEqual(['acquired']);
        expect(spans('lease.hold')).toHaveLength(1);
      } finally {
        stop();
        warn.mockRestore();
      }
    },
  );
});

describe('spans of an election', () => {
  it('are its terms, within the span that runs it', async () => {
    await using cluster = await Cluster.start();
    const a = candidate(cluster, 'a');
    const asking = tracer.startSpan('run');
    const run = within(asking, () => a.run());
    await cluster.until('a leader', () => a.election.isLeader());
    await cluster.settled(a.election.stepDown({ cooldownMs: 0 }));
    await cluster.until('a leader again', () => a.election.isLeader());
    a.stop.abort();
    await cluster.settled(run);
    asking.end();
    const { traceId, spanId } = asking.spanContext();
    expect(spans('lease.hold').map(traceOf)).toEqual([
      [traceId, spanId],
      [traceId, spanId],
    ]);
  });
});

describe('recordSpans', () => {
  it('has the attributes that the page lists', () => {
    const page = 'docs/operations.md';
    const rows = rowsOf(page, readFileSync(join(root, page), 'utf8'), 'Spans');
    const listed = rows.map((row) => codeIn(row['attribute'] ?? '')[0]).sort();
    const written = readFileSync(join(root, 'src/opentelemetry/recorder.ts'), 'utf8');
    const names = [...written.matchAll(/`\$\{PREFIX\}(\.[a-z_]+)`|'([a-z0-9]+\.[a-z.]+)'/g)]
      .map(([, own, common]) => common ?? `metaparticle.sync${own ?? ''}`)
      .filter((name) => !name.startsWith('lease.') && name !== 'metaparticle.sync');
    expect(listed).toEqual([...new Set(names)].sort());
  });

  it('can be called once per provider; to end it ends the spans that are open, as they are', async () => {
    await using cluster = await Cluster.start();
    const apart = new InMemorySpanExporter();
    const mine = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(apart)] });
    const stop = recordSpans({ tracerProvider: mine });
    expect(() => recordSpans({ tracerProvider: mine })).toThrow(InvalidOptionError);
    expect(() => recordSpans({ provider: mine } as never)).toThrow('is not an option');
    expect(() => recordSpans({ tracerProvider: {} as never })).toThrow('must be a TracerProvider');
    const handle = await cluster.lock('open').acquire();
    stop();
    expect(apart.getFinishedSpans().map(({ name }) => name)).toEqual([
      'lease.acquire',
      'lease.hold',
    ]);
    await handle.release();
    expect(apart.getFinishedSpans()).toHaveLength(2);
    recordSpans({ tracerProvider: mine })();
    await mine.shutdown();
  });
});
