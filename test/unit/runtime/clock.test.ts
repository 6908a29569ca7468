import { describe, expect, it } from '@jest/globals';
import { elapsedTime, systemClock } from '../../../src/lease/clock.js';
import { sleep } from '../../support/promises.js';
import { SocketCluster, quick } from '../../support/cluster.js';

/** Both clocks of a machine, to be moved by hand. */
function machine() {
  const clocks = { mono: 5_000, boot: 900_000 };
  const elapsed = elapsedTime(
    () => clocks.mono,
    () => clocks.boot,
  );
  const start = elapsed();
  return {
    since: () => elapsed() - start,
    pass: (monoMs: number, bootMs = monoMs) => {
      clocks.mono += monoMs;
      clocks.boot += bootMs;
    },
  };
}

describe('elapsedTime', () => {
  it('is the monotonic time while nothing happens', () => {
    const { since, pass } = machine();
    pass(1_000);
    expect(since()).toBe(1_000);
    pass(0.25);
    expect(since()).toBe(1_000.25);
  });

  it('counts a suspension, which the monotonic clock does not see', () => {
    const { since, pass } = machine();
    pass(1_000);
    since();
    pass(0, 60_000);
    expect(since()).toBe(61_000);
    pass(500);
    expect(since()).toBe(61_500);
  });

  it('adds up suspensions, asked between them or not', () => {
    const { since, pass } = machine();
    pass(10, 5_010);
    pass(10, 7_010);
    expect(since()).toBe(12_020);
    pass(10, 1_010);
    expect(since()).toBe(13_030);
  });

  it('never goes back, and never runs slower than the monotonic clock', () => {
    const { since, pass } = machine();
    let last = 0;
    const jumps = [0, -5, 7, -90, 30, 5_000, -8_000, 120, -3_000, 40, 9_000, -1, 1];
    for (const jump of jumps) {
      pass(10, 10 + jump);
      const now = since();
      expect(now).toBeGreaterThanOrEqual(last + 10);
      last = now;
    }
  });

  it('takes the grain of the up-time for no suspension, however long it goes on', () => {
    const { since, pass } = machine();
    // The up-time moves in steps of 10 ms, the monotonic clock does not.
    for (let step = 0; step < 10_000; step++) pass(1, step % 10 === 9 ? 10 : 0);
    let count = 0;
    for (; count < 10_000; count++) {
      pass(1, count % 10 === 9 ? 10 : 0);
      since();
    }
    expect(since()).toBeGreaterThanOrEqual(20_000);
    expect(since()).toBeLessThanOrEqual(20_000 + 100);
  });

  it('counts a suspension after an up-time that follows the wall clock was set back', () => {
    const { since, pass } = machine();
    pass(100, -3_600_000);
    expect(since()).toBe(100);
    pass(0, 30_000);
    expect(since()).toBe(30_100);
  });

  it('takes an up-time that was set forward for a suspension: belief may end early, not late', () => {
    const { since, pass } = machine();
    pass(100, 3_600_100);
    expect(since()).toBe(3_600_100);
  });
});

describe('the system clock', () => {
  it('moves all its hands, the holder’s at least as fast as the candidate’s', async () => {
    const before = systemClock.now();
    await sleep(50);
    const after = systemClock.now();
    expect(after.monotonic - before.monotonic).toBeGreaterThan(40);
    // The two are read one after the other, a moment apart.
    const ahead = after.elapsed - before.elapsed - (after.monotonic - before.monotonic);
    expect(ahead).toBeGreaterThan(-5);
    expect(Math.abs(after.wall - Date.now())).toBeLessThan(1_000);
  });

  it('calls back once, not before its time', async () => {
    const start = performance.now();
    let calls = 0;
    const at = await new Promise<number>((resolve) => {
      systemClock.after(30, () => {
        calls++;
        resolve(performance.now());
      });
    });
    expect(at - start).toBeGreaterThan(28);
    await sleep(60);
    expect(calls).toBe(1);
  });

  it('calls back at once for what is past', async () => {
    await new Promise<void>((resolve) => systemClock.after(-5, resolve));
  });

  it('does not call back what was called off', async () => {
    let isCalled = false;
    const cancel = systemClock.after(10, () => (isCalled = true));
    cancel();
    cancel();
    await sleep(30);
    expect(isCalled).toBe(false);
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 40, Infinity])('waits for %d ms, not for one', async (ms) => {
    let isCalled = false;
    const cancel = systemClock.after(ms, () => (isCalled = true));
    await sleep(30);
    expect(isCalled).toBe(false);
    cancel();
  });
});

describe('belief and a blocked event loop', () => {
  it('ends on time for who asks, and the signal is aborted before the answer', async () => {
    await using world = await SocketCluster.start();
    const acquire = (name: string) => world.lock(name, { ...quick, marginMs: 1_000 }).acquire();
    const [a, b, c] = await Promise.all([acquire('a'), acquire('b'), acquire('c')]);
    const seen: string[] = [];
    a.signal.addEventListener('abort', () => seen.push('abort'));
    block(a.remainingMs() - 100);
    expect(a.isHeld()).toBe(true);
    expect(a.remainingMs()).toBeLessThanOrEqual(100);
    block(300);
    expect(a.signal.aborted).toBe(false);
    seen.push(`held: ${a.isHeld()}`);
    expect(seen).toEqual(['abort', 'held: false']);
    expect(a.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(b.remainingMs()).toBe(0);
    expect(b.signal.aborted).toBe(true);
    expect(() => c.assertHeld()).toThrow(c.signal.reason as Error);
    expect(c.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(await a.release()).toBe(false);
  });
});

/** Nothing runs in this thread meanwhile: no timer, no answer, no event. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
