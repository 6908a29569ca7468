import { describe, expect, it } from '@jest/globals';
import { diagnosticsChannels, type EventMessage, type StepMessage } from '@metaparticle/sync';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { publishEvent, publishStep } from '../src/diagnostics.js';
import { World } from './support/world.js';

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
    });
  });

  it('tell the whole story of a lock', async () => {
    await using world = await World.start();
    const lock = world.lock('story');
    const { steps, events } = await listening(async () => {
      const handle = await lock.acquire();
      await handle.release();
    });
    const told = steps.map(({ step, intent }) => intent ?? step);
    expect(told).toEqual(['read', 'create', 'claim', 'vacate']);
    const path = events.filter(({ before, after }) => before !== after);
    expect(path.map(({ after }) => after)).toEqual(['holding', 'vacating', 'over']);
  });

  it('say which lease, who, and which attempt', async () => {
    await using world = await World.start();
    const lock = world.lock('named', { identity: 'pod-7' });
    const { steps, events } = await listening(async () => {
      for (const _ of [1, 2]) await (await lock.acquire()).release();
    });
    for (const { lease, identity } of [...steps, ...events]) {
      expect(lease).toBe('default/named');
      expect(identity).toBe('pod-7');
    }
    expect(new Set(steps.map(({ nonce }) => nonce)).size).toBe(2);
  });

  it('tell each event with the state before and after it', async () => {
    await using world = await World.start();
    const lock = world.lock('chained');
    const { steps, events } = await listening(async () => {
      const handle = await lock.acquire();
      await handle.release();
    });
    const details = events.map(({ detail }) => detail as { before: unknown; after: unknown });
    for (const [index, { before }] of details.slice(1).entries()) {
      expect(before).toBe(details[index]?.after);
    }
    const states = details.flatMap(({ before, after }) => [before, after]);
    for (const { detail } of steps) expect(states).toContain((detail as { state: unknown }).state);
  });

  it('leave waiting out', async () => {
    await using world = await World.start();
    const { steps } = await listening(async () => {
      const handle = await world.lock('quiet').acquire();
      await handle.release();
    });
    expect(steps.map(({ step }) => step)).not.toContain('wait');
  });

  it('are free without a listener: no message is even made', () => {
    const subject = {
      get key(): never {
        throw new Error('made for nobody');
      },
      ...{ identity: 'me', nonce: 'n' },
    };
    const over = { kind: 'over', end: { how: 'left' } } as const;
    expect(channel(diagnosticsChannels.step).hasSubscribers).toBe(false);
    expect(() => publishStep(subject, { do: 'read', why: 'first' }, over)).not.toThrow();
    expect(() => publishEvent(subject, { type: 'tick' }, over, over)).not.toThrow();
  });
});
