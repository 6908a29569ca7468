import { describe, expect, it } from '@jest/globals';
import {
  diagnosticsChannels,
  type EventMessage,
  type OutageMessage,
  type StepMessage,
} from '@metaparticle/sync';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { publishEvent, publishStep, type Subject } from '../../../src/diagnostics.js';
import { Cluster } from '../../support/cluster.js';

/** What was published while `act` ran. */
async function listening(act: () => Promise<void>) {
  const [steps, events]: [StepMessage[], EventMessage[]] = [[], []];
  const onStep = (message: unknown): number => steps.push(message as StepMessage);
  const onEvent = (message: unknown): number => events.push(message as EventMessage);
  subscribe(diagnosticsChannels.step, onStep);
  subscribe(diagnosticsChannels.event, onEvent);
  try {
    await act();
  } finally {
    unsubscribe(diagnosticsChannels.step, onStep);
    unsubscribe(diagnosticsChannels.event, onEvent);
  }
  return { steps, events };
}

describe('diagnostics', () => {
  it('have names that are part of the contract', () => {
    expect(diagnosticsChannels).toEqual({
      step: 'metaparticle:sync:step',
      event: 'metaparticle:sync:event',
      outage: 'metaparticle:sync:outage',
    });
  });

  it('tell the whole story of a lock', async () => {
    await using cluster = await Cluster.start();
    let token = 0n;
    const { steps, events } = await listening(async () => {
      const handle = await cluster.lock('story').acquire();
      token = handle.fencingToken;
      await handle.release();
    });
    expect(steps.map(({ step, intent }) => [step, intent])).toEqual([
      ['read', null],
      ['create', null],
      ['write', 'claim'],
      ['write', 'vacate'],
    ]);
    const path = events.filter(({ before, after }) => before !== after);
    expect(path.map(({ before, after }) => `${before} -> ${after}`)).toEqual([
      'seeking -> holding',
      'holding -> vacating',
      'vacating -> over',
    ]);
    expect(events.some(({ after }) => after === 'holding')).toBe(true);
    for (const event of events) expect(event.token).toBe(event.after === 'holding' ? token : null);
  });

  it('tell when a lease gets no answer, and when it gets one again', async () => {
    await using cluster = await Cluster.start();
    const heard: OutageMessage[] = [];
    const onOutage = (message: unknown): number => heard.push(message as OutageMessage);
    subscribe(diagnosticsChannels.outage, onOutage);
    const fault = cluster.api.faults.dropBefore();
    const waiting = cluster.lock('cut-off').acquire();
    await cluster.advance(6_000);
    fault.remove();
    await cluster.settled(waiting);
    unsubscribe(diagnosticsChannels.outage, onOutage);
    const of = { lease: 'default/cut-off', server: cluster.api.url };
    expect(heard).toMatchObject([
      { ...of, isUnreachable: true },
      { ...of, isUnreachable: false },
    ]);
    const [begun, over] = heard.map(({ at }) => at) as [number, number];
    expect(over - begun).toBeLessThanOrEqual(1_250);
  });

  it('tell how requests ended', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.status({ match: { verb: 'get' }, code: 500, times: 1 });
    cluster.api.faults.status({ match: { verb: 'create' }, code: 429, times: 1 });
    const { events } = await listening(async () => {
      await cluster.settled(cluster.lock('story').acquire());
    });
    const answered = events.filter(({ event }) => event === 'answered');
    expect(answered.map(({ verdict }) => verdict)).toEqual(['unknown', 'ok', 'refused', 'ok']);
    const others = events.filter(({ event }) => event !== 'answered' && event !== 'settled');
    for (const { verdict } of others) expect(verdict).toBeNull();
  });

  it('say when, by the clock of the client', async () => {
    await using cluster = await Cluster.start();
    await cluster.advance(7_000);
    const { steps, events } = await listening(async () => {
      const handle = await cluster.lock('timed').acquire();
      cluster.api.faults.delay({ match: { verb: 'update' }, requestMs: 30, responseMs: 30 });
      await cluster.advance(1_500);
      await cluster.settled(handle.release());
    });
    expect(steps.map(({ at, intent }) => [at, intent])).toEqual([
      [7_000, null],
      [7_000, null],
      [7_000, 'claim'],
      [8_000, 'renew'],
      [8_500, 'vacate'],
    ]);
    const settled = events.filter(({ event }) => event === 'settled');
    // The release is over when the watch tells of it, before its answer comes.
    expect(settled.map(({ at }) => at)).toEqual([7_000, 8_060]);
    expect(events.at(-1)).toMatchObject({ at: 8_530, after: 'over' });
  });

  it('say which lease, who, and which attempt', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('named', { identity: 'pod-7' });
    const { steps, events } = await listening(async () => {
      for (const _ of [1, 2]) await (await lock.acquire()).release();
    });
    for (const message of [...steps, ...events]) {
      expect(message).toMatchObject({ lease: 'default/named', identity: 'pod-7' });
    }
    expect(new Set(steps.map(({ nonce }) => nonce)).size).toBe(2);
  });

  it('tell each event from where the one before it had led', async () => {
    await using cluster = await Cluster.start();
    const { events } = await listening(async () => {
      const handle = await cluster.lock('chained').acquire();
      await handle.release();
    });
    for (const [index, { before }] of events.slice(1).entries()) {
      expect(before).toBe(events[index]?.after);
    }
  });

  it('are free without a listener: nothing is even looked at', () => {
    const untouchable = new Proxy({} as Subject, {
      get: () => {
        throw new Error('looked at without a listener');
      },
    });
    expect(channel(diagnosticsChannels.step).hasSubscribers).toBe(false);
    const over = { kind: 'over', end: { how: 'withdrawn' } } as const;
    publishStep(untouchable, { do: 'read', why: 'first' }, over, 0);
    publishEvent(untouchable, { type: 'tick' }, over, over, 0);
  });
});
