import { describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { Wait } from '../../../src/lease/wait.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { rejection } from '../../support/promises.js';

const forever = new Promise<never>(() => undefined);

describe('Wait', () => {
  it('ends by any of its signals, with the reason of the first', async () => {
    const [own, closing] = [new AbortController(), new AbortController()];
    const wait = new Wait(new ManualClock(), [own.signal, closing.signal], Infinity);
    const raced = rejection(wait.race(forever));
    closing.abort('closed');
    own.abort('too late');
    expect(await raced).toBe('closed');
    expect(wait.signal.reason).toBe('closed');
    expect(wait.isTimedOut).toBe(false);
  });

  it('ends by its time limit, to the millisecond', async () => {
    const clock = new ManualClock();
    const wait = new Wait(clock, [], 3_000_000_000);
    await clock.advance(2_999_999_999);
    expect(wait.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(wait.signal.aborted).toBe(true);
    expect(wait.isTimedOut).toBe(true);
    expect(wait.waitedMs).toBe(3_000_000_000);
  });

  it('sets no timer when there is no limit', () => {
    const clock = new ManualClock();
    expect(new Wait(clock, [], Infinity).isTimedOut).toBe(false);
    expect(clock.timers).toBe(0);
  });

  it('is over before it begins with a signal that has aborted', async () => {
    const wait = new Wait(new ManualClock(), [AbortSignal.abort('before')], Infinity);
    expect(wait.signal.reason).toBe('before');
    expect(await rejection(wait.race(Promise.resolve(1)))).toBe('before');
  });

  it('hands on what it races, either way', async () => {
    const wait = new Wait(new ManualClock(), [], Infinity);
    await expect(wait.race(Promise.resolve(7))).resolves.toBe(7);
    expect(await rejection(wait.race(Promise.reject(new Error('own'))))).toEqual(new Error('own'));
  });

  it('has one listener on each signal, and none nor a timer when it is done', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const wait = new Wait(clock, [signal], 1_000);
    await wait.race(Promise.resolve());
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    wait.done();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(getEventListeners(wait.signal, 'abort')).toHaveLength(0);
    expect(clock.timers).toBe(0);
  });

  it('does not end any more once it is done', async () => {
    const clock = new ManualClock();
    const own = new AbortController();
    const wait = new Wait(clock, [own.signal], 1_000);
    wait.done();
    own.abort();
    await clock.advance(2_000);
    expect(wait.signal.aborted).toBe(false);
    expect(wait.isTimedOut).toBe(false);
  });
});
