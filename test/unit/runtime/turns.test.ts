import { describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { Turns } from '../../../src/lease/turns.js';
import { isPending, rejection } from '../../support/promises.js';

const never = new AbortController().signal;

describe('Turns', () => {
  it('gives the turn to one at a time, first come first served', async () => {
    const turns = new Turns();
    const served: number[] = [];
    const waiters = Array.from({ length: 10 }, async (_, index) => {
      const pass = await turns.take(never);
      served.push(index);
      await Promise.resolve();
      expect(served.at(-1)).toBe(index);
      pass();
    });
    await Promise.all(waiters);
    expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(turns.isTaken).toBe(false);
  });

  it('is taken from the first call on until the last turn is over', async () => {
    const turns = new Turns();
    expect(turns.isTaken).toBe(false);
    const first = turns.take(never);
    expect(turns.isTaken).toBe(true);
    const second = turns.take(never);
    (await first)();
    expect(turns.isTaken).toBe(true);
    (await second)();
    expect(turns.isTaken).toBe(false);
  });

  it('is not to be had by a newcomer while it is handed over', async () => {
    const turns = new Turns();
    const pass = await turns.take(never);
    const second = turns.take(never);
    pass();
    const newcomer = turns.take(never);
    const passSecond = await second;
    expect(await isPending(newcomer)).toBe(true);
    passSecond();
    (await newcomer)();
  });

  it('passes on once, however often it is asked to', async () => {
    const turns = new Turns();
    const pass = await turns.take(never);
    const [second, third] = [turns.take(never), turns.take(never)];
    pass();
    pass();
    const passSecond = await second;
    pass();
    expect(await isPending(third)).toBe(true);
    passSecond();
    (await third)();
  });

  it('lets who gives up leave from anywhere, with the reason', async () => {
    const turns = new Turns();
    const pass = await turns.take(never);
    const leavers = [new AbortController(), new AbortController(), new AbortController()];
    const takes = [
      turns.take(leavers[0]?.signal ?? never),
      turns.take(never),
      turns.take(leavers[1]?.signal ?? never),
      turns.take(never),
      turns.take(leavers[2]?.signal ?? never),
    ] as const;
    for (const [index, leaver] of leavers.entries()) leaver.abort(`reason ${index}`);
    expect(await rejection(takes[0])).toBe('reason 0');
    expect(await rejection(takes[2])).toBe('reason 1');
    expect(await rejection(takes[4])).toBe('reason 2');
    pass();
    (await takes[1])();
    (await takes[3])();
    expect(turns.isTaken).toBe(false);
  });

  it('is not given to who had given up before', async () => {
    const turns = new Turns();
    expect(await rejection(turns.take(AbortSignal.abort('too late')))).toBe('too late');
    expect(turns.isTaken).toBe(false);
  });

  it('leaves no listener behind', async () => {
    const turns = new Turns();
    const { signal } = new AbortController();
    const [free, waited] = [turns.take(signal), turns.take(signal)];
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    (await free)();
    (await waited)();
    const held = await turns.take(signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const leaver = new AbortController();
    const left = turns.take(leaver.signal);
    leaver.abort();
    await rejection(left);
    expect(getEventListeners(leaver.signal, 'abort')).toHaveLength(0);
    held();
  });

  it('keeps the turn of who gives up after having got it, until it is passed on', async () => {
    const turns = new Turns();
    const pass = await turns.take(never);
    const leaver = new AbortController();
    const late = turns.take(leaver.signal);
    pass();
    leaver.abort('after the turn was handed over');
    (await late)();
    expect(turns.isTaken).toBe(false);
  });
});
