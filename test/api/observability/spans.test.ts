// The spans that a story leaves behind.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Election, InvalidOptionError, LeaseClient, Lock } from '@metaparticle/sync';
import { recordSpans } from '@metaparticle/sync/opentelemetry';
import { SpanStatusCode, context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLeaseServer, type LeaseServer } from '../../../src/testing/index.js';
import { rejection, until } from '../../support/promises.js';
import { codeIn, rowsOf } from '../../../tools/docs/tables.js';
import { root } from '../../../tools/docs/source.js';

const QUICK = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
const tracer = tracerProvider.getTracer('test');

let api: LeaseServer;
let client: LeaseClient;
let end: () => void;
beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  api = await startLeaseServer();
  client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'a' });
  end = recordSpans({ tracerProvider });
});
afterAll(async () => {
  end();
  await client.close();
  await api.close();
  await tracerProvider.shutdown();
});
beforeEach(() => exporter.reset());

function spans(name: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

function traceOf(span: ReadableSpan | undefined): unknown[] {
  return [span?.spanContext().traceId, span?.parentSpanContext?.spanId];
}

describe('recordSpans', () => {
  it('makes a span of the way to a lock and of the time it is held, within the one that asked', async () => {
    const asking = tracer.startSpan('request');
    const handle = await context.with(trace.setSpan(context.active(), asking), () =>
      new Lock('traced', { client, ...QUICK }).acquire(),
    );
    const [acquire] = spans('lease.acquire');
    expect(spans('lease.hold')).toEqual([]);
    await handle.release();
    asking.end();
    const [hold] = spans('lease.hold');
    const lease = { 'k8s.namespace.name': 'default', 'metaparticle.sync.lease': 'traced' };
    const token = String(handle.fencingToken);
    const attributes = {
      ...{ ...lease, 'metaparticle.sync.identity': 'a', 'metaparticle.sync.fencing_token': token },
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

  it('says why a term was lost, why an attempt failed, and that others were called off', async () => {
    const handle = await new Lock('lost', { client, ...QUICK }).acquire();
    const lock = new Lock('lost', { client, ...QUICK });
    await rejection(lock.acquire({ timeoutMs: 50 }));
    await using other = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'b' });
    expect(await new Lock('lost', { client: other, ...QUICK }).tryAcquire()).toBeNull();
    await rejection(new Lock('lost', { client: other, ...QUICK }).acquire({ timeoutMs: 50 }));
    api.leases.delete('default', 'lost');
    await until('the loss', () => handle.signal.aborted, 5_000);
    const [hold] = spans('lease.hold');
    expect(hold?.attributes['metaparticle.sync.loss_reason']).toBe('deleted');
    expect(hold?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'lost: deleted' });

    const fault = api.faults.forbid(({ verb }) => verb === 'create');
    const refusal = await rejection(new Lock('refused', { client, ...QUICK }).acquire());
    fault.remove();
    await until('all ends', () => spans('lease.acquire').length === 5, 5_000);
    const outcomes = spans('lease.acquire').map(
      ({ attributes }) => attributes['metaparticle.sync.outcome'],
    );
    expect(outcomes).toEqual(['acquired', 'withdrawn', 'busy', 'withdrawn', 'failed']);
    const failed = spans('lease.acquire').at(-1);
    expect(failed?.attributes['error.type']).toBe('ERR_FORBIDDEN');
    const { message } = refusal as Error;
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message });
  });

  it('has the terms of an election within the span that runs it', async () => {
    const stop = new AbortController();
    const election = new Election('led', {
      ...{ client, ...QUICK },
      onStartedLeading: () => undefined,
    });
    const running = tracer.startActiveSpan('run', (span) => {
      const run = election.run({ signal: stop.signal });
      return run.finally(() => span.end());
    });
    await until('a leader', () => election.isLeader(), 5_000);
    await election.stepDown({ cooldownMs: 0 });
    await until('a leader', () => election.isLeader(), 5_000);
    stop.abort();
    await running;
    const [run] = spans('run');
    expect(spans('lease.hold').map(traceOf)).toEqual(
      Array.from({ length: 2 }, () => [run?.spanContext().traceId, run?.spanContext().spanId]),
    );
  });

  it('remarks on what is out of the ordinary', async () => {
    const handle = await new Lock('edited', { client, ...QUICK }).acquire();
    const watch = api.faults.stallWatch();
    api.leases.edit('default', 'edited', ({ metadata }) => (metadata.labels = { a: 'b' }));
    await sleep(300);
    const before = handle.remainingMs();
    await until('a renewal', () => handle.remainingMs() > before, 5_000);
    watch.remove();
    await handle.release();
    const remarks = spans('lease.hold').flatMap(({ events }) => events.map(({ name }) => name));
    expect(remarks).toContain('conflict');
  });

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

  it('is called once per provider; who ends it gets what is open, as it is', async () => {
    const apart = new InMemorySpanExporter();
    const mine = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(apart)] });
    const stop = recordSpans({ tracerProvider: mine });
    expect(() => recordSpans({ tracerProvider: mine })).toThrow(InvalidOptionError);
    expect(() => recordSpans({ provider: mine } as never)).toThrow('is not an option');
    expect(() => recordSpans({ tracerProvider: {} as never })).toThrow('must be a TracerProvider');
    const handle = await new Lock('open', { client }).acquire();
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
