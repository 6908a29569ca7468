import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Endpoint } from '../../../src/lease/kube/endpoint.js';
import { KubeEventRecorder } from '../../../src/lease/kube/event-recorder.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { SERVER, kubeConfigOf } from './support/kube-config.js';
import { ScriptedWire } from './support/scripted-wire.js';

const remark = {
  key: { namespace: 'team a', name: 'job' },
  ...{ uid: 'u-1', identity: 'pod-1', message: 'pod-1 became leader' },
};

let clock: ManualClock;
let wire: ScriptedWire;
let recorder: KubeEventRecorder;

beforeEach(() => {
  clock = new ManualClock();
  wire = new ScriptedWire(clock);
  recorder = new KubeEventRecorder({
    ...{ endpoint: new Endpoint(kubeConfigOf(), SERVER, clock), wire, clock },
  });
});

afterEach(() => recorder.close());

describe('an Event', () => {
  it('is created about the Lease, in its namespace, with the time of then', async () => {
    await clock.advance(5_000);
    await recorder.record(remark);
    const [sent] = wire.exchanges;
    expect(sent).toMatchObject({ method: 'POST', path: '/api/v1/namespaces/team%20a/events' });
    expect(JSON.parse(sent?.body ?? '')).toEqual({
      ...{ apiVersion: 'v1', kind: 'Event', type: 'Normal', reason: 'LeaderElection', count: 1 },
      metadata: { namespace: 'team a', generateName: 'job.' },
      involvedObject: {
        ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', uid: 'u-1' },
        ...{ namespace: 'team a', name: 'job' },
      },
      message: 'pod-1 became leader',
      firstTimestamp: '2030-01-01T00:00:05.000Z',
      lastTimestamp: '2030-01-01T00:00:05.000Z',
      source: { component: 'pod-1' },
      reportingComponent: 'metaparticle-sync',
      reportingInstance: 'pod-1',
    });
  });

  it.each([201, 403, 404, 500])('is tried once, whatever the answer: %d', async (status) => {
    wire.onExchange = (exchange) => exchange.answer(status);
    await recorder.record(remark);
    await clock.advance(60_000);
    expect(wire.exchanges).toHaveLength(1);
  });

  it.each([
    ['no answer comes', () => undefined, 1_000],
    ['nothing listens', (exchange: { refuse(): void }) => exchange.refuse(), 0],
    ['the connection breaks', (exchange: { reset(): void }) => exchange.reset(), 0],
  ])('is given up when %s', async (_when, onExchange, afterMs) => {
    wire.onExchange = onExchange;
    await clock.advanceUntil(recorder.record(remark));
    expect(clock.monotonic()).toBe(afterMs);
  });

  it('that is a second old in the queue is no news any more: it is not sent', async () => {
    wire.onExchange = () => undefined;
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((message) =>
      recorder.record({ ...remark, message }),
    );
    await clock.advanceUntil(Promise.all(all));
    // Two at once, and one probe more before the second is over; the rest never leave.
    expect(wire.exchanges.map(({ at }) => at)).toEqual([0, 0, 650]);
    expect(clock.monotonic()).toBe(1_650);
  });

  it('that is under way is given up when the recorder is closed, with no timer left', async () => {
    wire.onExchange = () => undefined;
    const recording = recorder.record(remark);
    await clock.advance(10);
    recorder.close();
    await recording;
    await recorder.record(remark);
    expect([wire.exchanges.length, wire.open, clock.timers]).toEqual([1, 0, 0]);
  });
});
