// acquire: how it waits, in what order, what ends it, and what an acquisition leaves behind that was called off.
import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError, ClosedError } from '@metaparticle/sync';
import { getEventListeners } from 'node:events';
import { expectError, isPending, rejection } from '../../support/promises.js';
import { Cluster, quickHeldMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;
const read = { verb: 'get' } as const;

/** A lock that a foreign holder has for a minute. */
async function occupied(): Promise<Cluster> {
  const cluster = await Cluster.start();
  cluster.occupy('job', { leaseDurationSeconds: 60 });
  return cluster;
}

describe('waiting', () => {
  it('in one process is first come, first served, and only the head competes', async () => {
    await using cluster = await occupied();
    const served: number[] = [];
    const waiters = Array.from({ length: 10 }, async (_, index) => {
      const handle = await cluster.lock('job').acquire();
      served.push(index);
      await cluster.api.sleep(10);
      expect(await handle.release()).toBe(true);
    });
    await cluster.advance(500);
    expect(cluster.api.requests.counts).toMatchObject({ get: 1, watch: 1, update: 0 });
    cluster.vacate('job');
    await cluster.settled(Promise.all(waiters));
    expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Beside the work only holding off for the stranger takes time: it may want the lock again.
    expect(cluster.now).toBeGreaterThanOrEqual(500 + 10 * 10);
    expect(cluster.now).toBeLessThan(500 + 10 * (10 + 25));
    // Each of the ten claimed once and released once, without a collision.
    expect(cluster.api.requests.counts.update).toBe(20);
    expect(cluster.api.requests.log.filter(({ status }) => status === 409)).toEqual([]);
  });

  it('asks nothing while the holder renews', async () => {
    await using cluster = await Cluster.start();
    const timings = { leaseDurationMs: 15_000, renewIntervalMs: 2_000 };
    await cluster.elsewhere('job', 'other', timings).acquire();
    const waiting = rejection(cluster.lock('job').acquire());
    await cluster.advance(0);
    cluster.api.requests.reset();
    await cluster.advance(60_000);
    const { total, counts } = cluster.api.requests;
    expect({ total, update: counts.update }).toEqual({ total: 30, update: 30 });
    await cluster.closeClients();
    expectError(await waiting, ClosedError, 'ERR_CLOSED');
  });

  it('ends when the lock is free: no time is lost between the release and the claim', async () => {
    await using cluster = await occupied();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(2_345);
    expect(await isPending(waiting)).toBe(true);
    cluster.vacate('job');
    expect((await cluster.settled(waiting)).remainingMs()).toBe(quickHeldMs);
    expect(cluster.now).toBe(2_345);
  });

  it('takes one way to the API server and one back, where those take time', async () => {
    await using cluster = await Cluster.start();
    const held = await cluster.elsewhere('job', 'other').acquire();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(500);
    cluster.api.faults.delay({ requestMs: 20, responseMs: 30 });
    void held.release();
    await cluster.settled(waiting);
    // The release on its way, its event, the claim on its way, and the event of the claim.
    expect(cluster.now).toBe(500 + 20 + 20);
  });
});

describe('the time limit of a wait', () => {
  it('ends it to the millisecond, at the head and behind', async () => {
    await using cluster = await occupied();
    const call = rejection(cluster.lock('job').acquire({ timeoutMs: 1_000 }));
    const behind = rejection(cluster.lock('job').acquire({ timeoutMs: 300 }));
    const late = expectError(
      await cluster.settled(behind),
      AcquireTimeoutError,
      'ERR_ACQUIRE_TIMEOUT',
    );
    expect(cluster.now).toBe(300);
    expect(late.waitedMs).toBe(300);
    expectError(
      await cluster.settled(call),
      AcquireTimeoutError,
      'ERR_ACQUIRE_TIMEOUT',
      /^lock default\/job not acquired within 1000 ms: held by "stranger"$/,
    );
    expect(cluster.now).toBe(1_000);
    expect(cluster.holder('job')).toBe('stranger');
  });

  it('counts the first request, too', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.delay({ match: read, responseMs: 400 });
    const error = await cluster.settled(rejection(cluster.lock('job').acquire({ timeoutMs: 300 })));
    expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', 'within 300 ms');
    expect(cluster.now).toBe(300);
  });

  it('says so where this process itself holds the lock', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    await lock.acquire();
    const words = 'in this process, and a lock is not reentrant';
    const error = await cluster.settled(rejection(lock.acquire({ timeoutMs: 300 })));
    expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', words);
    const elsewhere = cluster.elsewhere('job', 'other').acquire({ timeoutMs: 300 });
    const other = await cluster.settled(rejection(elsewhere));
    expect((other as Error).message).not.toContain(words);
  });

  it('that is shorter than a request leaves nothing behind', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.delay({ requestMs: 2, responseMs: 3 });
    // One ends the look, one the creation, and one the claim on its way.
    for (const timeoutMs of [1, 6, 11]) {
      const lock = cluster.lock(`within-${timeoutMs}`);
      const error = await cluster.settled(rejection(lock.acquire({ timeoutMs })));
      const words = `not acquired within ${timeoutMs} ms`;
      expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', words);
      await cluster.advance(1_000);
      expect(cluster.holder(lock.name) ?? '').toBe('');
      const call = lock.acquire({ timeoutMs: 100 });
      expect((await cluster.settled(call)).isHeld()).toBe(true);
    }
  });

  // Timers of Node.js take no more than 2³¹ − 1 milliseconds, and fire at once for more.
  it.each([2 ** 31, 2 ** 40, Infinity])('of %d ms does not end at once', async (timeoutMs) => {
    await using cluster = await occupied();
    const stop = new AbortController();
    const waiting = cluster.lock('job').acquire({ timeoutMs, signal: stop.signal });
    await cluster.advance(10_000);
    expect(await isPending(waiting)).toBe(true);
    stop.abort();
    await rejection(waiting);
  });
});

describe('the signal of a wait', () => {
  it('ends it with its reason, in the queue and at the head, and the next goes on', async () => {
    await using cluster = await occupied();
    const [head, queued] = [new AbortController(), new AbortController()];
    const calls = [
      cluster.lock('job').acquire({ signal: head.signal }),
      cluster.lock('job').acquire({ signal: queued.signal }),
      cluster.lock('job').acquire(),
    ] as const;
    await cluster.advance(100);
    expect(getEventListeners(head.signal, 'abort')).toHaveLength(1);
    expect(getEventListeners(queued.signal, 'abort')).toHaveLength(1);
    const [reasonOfHead, reasonOfQueued] = [new Error('head'), { odd: 'but allowed' }];
    queued.abort(reasonOfQueued);
    expect(await rejection(calls[1])).toBe(reasonOfQueued);
    head.abort(reasonOfHead);
    expect(await rejection(calls[0])).toBe(reasonOfHead);
    expect(getEventListeners(head.signal, 'abort')).toEqual([]);
    expect(getEventListeners(queued.signal, 'abort')).toEqual([]);
    cluster.vacate('job');
    expect((await cluster.settled(calls[2])).isHeld()).toBe(true);
    expect(cluster.now).toBe(100);
  });

  it('that has aborted before is enough for no request at all', async () => {
    await using cluster = await Cluster.start();
    const signal = AbortSignal.abort('before');
    expect(await rejection(cluster.lock('job').acquire({ signal }))).toBe('before');
    expect(await rejection(cluster.lock('job').tryAcquire({ signal }))).toBe('before');
    expect(cluster.api.requests.total).toBe(0);
  });

  it('is left alone once the wait is over', async () => {
    await using cluster = await Cluster.start();
    const { signal } = new AbortController();
    const handle = await cluster.lock('job').acquire({ signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await cluster.settled(rejection(cluster.lock('job').acquire({ signal, timeoutMs: 100 })));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(handle.isHeld()).toBe(true);
  });

  it('does not end the hold when it aborts after the acquisition', async () => {
    await using cluster = await Cluster.start();
    const stop = new AbortController();
    const handle = await cluster.lock('job').acquire({ signal: stop.signal });
    stop.abort();
    await cluster.advance(5_000);
    expect(handle.isHeld()).toBe(true);
    expect(handle.signal.aborted).toBe(false);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 8, 12])(
    'ends it also in the moment when its turn comes (%d microtasks on)',
    async (ticks) => {
      await using cluster = await occupied();
      const [first, stop] = [new AbortController(), new AbortController()];
      const head = rejection(cluster.lock('job').acquire({ signal: first.signal }));
      const next = rejection(cluster.lock('job').acquire({ signal: stop.signal }));
      await cluster.advance(100);
      first.abort('first');
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      stop.abort('called off');
      expect(await head).toBe('first');
      expect(await isPending(next)).toBe(false);
      expect(await next).toBe('called off');
    },
  );
});

describe('an acquisition that is called off', () => {
  it('while its claim is in flight ends at once, and a claim that wins after all is vacated', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: update, responseMs: 400, times: 1 });
    const stop = new AbortController();
    const call = cluster.lock('job').acquire({ signal: stop.signal });
    await cluster.until('the claim', () => cluster.holder('job') === 'me');
    stop.abort('called off');
    expect(await rejection(call)).toBe('called off');
    expect(cluster.now).toBe(0);
    expect(cluster.holder('job')).toBe('me');
    await cluster.until('the vacating', () => cluster.holder('job') === '');
    expect(cluster.now).toBe(400);
    expect((await cluster.elsewhere('job', 'other').tryAcquire())?.isHeld()).toBe(true);
  });

  it('before its claim arrives leaves nothing that could still land', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '' });
    cluster.api.faults.commitLate({ match: update, afterMs: 1_000, times: 1 });
    const stop = new AbortController();
    const call = cluster.lock('job').acquire({ signal: stop.signal });
    await cluster.until('the claim', () => cluster.api.requests.counts.update === 1);
    stop.abort('called off');
    expect(await rejection(call)).toBe('called off');
    await cluster.advance(10_000);
    expect(cluster.holder('job')).toBe('');
  });

  it('does not hold up those behind it', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: update, responseMs: 600, times: 1 });
    const call = rejection(cluster.lock('job').acquire({ timeoutMs: 200 }));
    const next = cluster.lock('job').acquire();
    const error = await cluster.settled(call);
    expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT');
    expect(cluster.now).toBe(200);
    expect((await cluster.settled(next)).isHeld()).toBe(true);
    // Its own claim comes too late, and 100 ms on it looks: that shows the first claim, which is vacated at once.
    expect(cluster.now).toBe(300);
  });
});

describe('a claim that is answered late', () => {
  it('past its belief is never believed', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '' });
    cluster.api.faults.stallWatch();
    const claimed = (): boolean => cluster.api.requests.counts.update > 0;
    const responseMs = quickHeldMs + 300;
    cluster.api.faults.delay({ match: update, responseMs, times: 1 });
    cluster.api.faults.delay({ match: ({ verb }) => verb === 'get' && claimed(), responseMs });
    const call = cluster.lock('job').acquire();
    await cluster.until('the claim', () => cluster.holder('job') === 'me');
    const first = cluster.api.leases.get('default', 'job')?.metadata.resourceVersion;
    await cluster.advance(quickHeldMs);
    expect(await isPending(call)).toBe(true);
    cluster.api.faults.clear();
    const handle = await cluster.settled(call);
    // It was claimed again: the token is not that of the first claim, and all of its belief is there.
    expect(handle.isHeld()).toBe(true);
    expect(handle.fencingToken).toBeGreaterThanOrEqual(BigInt(first ?? 0));
    expect(handle.remainingMs()).toBe(quickHeldMs);
  });

  it('but within it holds for what is left of it', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '' });
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: update, responseMs: 600, times: 1 });
    const handle = await cluster.settled(cluster.lock('job').acquire());
    expect(cluster.now).toBe(600);
    expect(handle.remainingMs()).toBe(quickHeldMs - 600);
  });
});
