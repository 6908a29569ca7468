import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/lease/clock.js';
import { Cluster, quick } from '../../support/cluster.js';

// On real time, and by order only: what the machine does meanwhile is not up to the test.
describe('the system clock', () => {
  const after = (ms: number): Promise<void> =>
    new Promise((resolve) => void systemClock.after(ms, resolve));

  it('moves all its hands, the holder’s at least as fast as the candidate’s', async () => {
    const wallBefore = Date.now();
    const { elapsed: elapsedBefore, monotonic } = systemClock.now();
    const from = systemClock.monotonic();
    await after(20);
    const to = systemClock.monotonic();
    const { elapsed, wall } = systemClock.now();
    expect(from).toBeGreaterThanOrEqual(monotonic);
    // Timers may come a moment early by another clock than theirs.
    expect(to - from).toBeGreaterThan(18);
    // Read before and after: however long the machine takes in between, it spans the time of the other.
    expect(elapsed - elapsedBefore).toBeGreaterThanOrEqual(to - from);
    expect(wall).toBeGreaterThanOrEqual(wallBefore);
    expect(wall).toBeLessThanOrEqual(Date.now());
  });

  it('calls back once, not before its time', async () => {
    const start = performance.now();
    let calls = 0;
    await new Promise<void>((resolve) => {
      systemClock.after(30, () => {
        calls++;
        resolve();
      });
    });
    expect(performance.now() - start).toBeGreaterThan(28);
    await after(60);
    expect(calls).toBe(1);
  });

  it('calls back in the order of the times, not of the calls', async () => {
    const order: number[] = [];
    await Promise.all([40, 1, 20].map((ms) => after(ms).then(() => order.push(ms))));
    expect(order).toEqual([1, 20, 40]);
  });

  it('calls back at once for what is past', async () => {
    const late = new AbortController();
    const cancel = systemClock.after(600_000, () => late.abort());
    await after(-5);
    expect(late.signal.aborted).toBe(false);
    cancel();
  });

  it('does not call back what was called off', async () => {
    let isCalled = false;
    const cancel = systemClock.after(10, () => (isCalled = true));
    cancel();
    cancel();
    await after(20);
    expect(isCalled).toBe(false);
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 40, Infinity])('waits for %d ms, not for one', async (ms) => {
    let isCalled = false;
    const cancel = systemClock.after(ms, () => (isCalled = true));
    await after(20);
    expect(isCalled).toBe(false);
    cancel();
  });
});

describe('a blocked event loop', () => {
  it('keeps nothing held: what is asked answers by the clock, and the signal is aborted before', async () => {
    await using cluster = await Cluster.start();
    const acquire = (name: string) => cluster.lock(name, { ...quick, marginMs: 1_000 }).acquire();
    const [a, b, c] = await Promise.all([acquire('a'), acquire('b'), acquire('c')]);
    const seen: string[] = [];
    a.signal.addEventListener('abort', () => seen.push('abort'));
    cluster.api.block(a.remainingMs() - 1);
    expect([a.isHeld(), a.remainingMs()]).toEqual([true, 1]);
    cluster.api.block(300);
    expect(a.signal.aborted).toBe(false);
    seen.push(`held: ${a.isHeld()}`);
    expect(seen).toEqual(['abort', 'held: false']);
    expect(a.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(b.remainingMs()).toBe(0);
    expect(b.signal.aborted).toBe(true);
    expect(() => c.assertHeld()).toThrow(c.signal.reason as Error);
    expect(c.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(await cluster.settled(a.release())).toBe(false);
  });
});
