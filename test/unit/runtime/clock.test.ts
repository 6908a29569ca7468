import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/lease/clock.js';
import { sleep } from '../../support/promises.js';
import { SocketCluster, quick } from '../../support/cluster.js';

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
