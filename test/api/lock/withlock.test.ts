import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError, LockLostError } from '@metaparticle/sync';
import { expectError, isPending, rejection } from '../../support/promises.js';
import { Cluster, quickHeldMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;
const own = new Error('the work failed');

/** Resolves when the signal aborts, with the virtual time of that moment. */
function aborted(cluster: Cluster, signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(cluster.now), { once: true });
  });
}

describe('what withLock resolves with', () => {
  it('is the value of the function, of functions of every kind', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    const value = { deep: [1n] };
    expect(await lock.withLock(() => Promise.resolve(value))).toBe(value);
    const sync: number = await lock.withLock(() => 7);
    expect(sync).toBe(7);
    await expect(lock.withLock(() => undefined)).resolves.toBeUndefined();
  });

  it('is that value also when only the release fails', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(() => {
      cluster.api.faults.forbid(update);
      return 'done while held';
    });
    expect(await cluster.settled(call)).toBe('done while held');
    expect(cluster.holder('job')).toBe('me');
  });

  it('is that value also when the function released by itself', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(({ handle }) => handle.release());
    expect(await call).toBe(true);
  });
});

describe('while its function runs, withLock', () => {
  it('holds the lock, and not after', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(async (held) => {
      expect(held.handle.isHeld()).toBe(true);
      expect(held.fencingToken).toBe(held.handle.fencingToken);
      expect(held.signal).toBe(held.handle.signal);
      expect(cluster.holder('job')).toBe('me');
      await cluster.api.sleep(50);
      expect(held.handle.isHeld()).toBe(true);
      return held;
    });
    const { handle, signal } = await cluster.settled(call);
    expect(handle.isHeld()).toBe(false);
    expect(cluster.holder('job')).toBe('');
    expect(signal.aborted).toBe(false);
  });

  it('renews the lock, however long that takes', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(async ({ handle }) => {
      await cluster.api.sleep(120_000);
      handle.assertHeld();
    });
    await cluster.settled(call);
    expect(cluster.now).toBe(120_000);
  });

  it('excludes others of the same name', async () => {
    await using cluster = await Cluster.start();
    let inside = 0;
    let calls = 0;
    const work = async (): Promise<void> => {
      expect(++inside).toBe(1);
      await cluster.api.sleep(20);
      inside--;
      calls++;
    };
    const locks = [cluster.lock('job'), cluster.lock('job'), cluster.elsewhere('job', 'other')];
    await cluster.settled(Promise.all(locks.map((lock) => lock.withLock(work))));
    expect(calls).toBe(3);
  });

  it('leaves it alone when the signal of the wait aborts', async () => {
    await using cluster = await Cluster.start();
    const stop = new AbortController();
    const call = cluster.lock('job').withLock(
      async ({ signal }) => {
        stop.abort();
        await cluster.api.sleep(50);
        return signal.aborted;
      },
      { signal: stop.signal },
    );
    expect(await cluster.settled(call)).toBe(false);
  });
});

describe('when its function fails, withLock', () => {
  it.each([
    ['rejects', () => Promise.reject(own)],
    [
      'throws',
      () => {
        throw own;
      },
    ],
  ])('lets the error of a function that %s through, and releases', async (_, fn) => {
    await using cluster = await Cluster.start();
    expect(await rejection(cluster.lock('job').withLock(fn))).toBe(own);
    expect(cluster.holder('job')).toBe('');
  });

  it('lets the error through also when the release fails', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(() => {
      cluster.api.faults.forbid(update);
      throw own;
    });
    expect(await cluster.settled(rejection(call))).toBe(own);
    expect(cluster.holder('job')).toBe('me');
  });

  it('lets the error through also when the lock is lost', async () => {
    await using cluster = await Cluster.start();
    const call = cluster.lock('job').withLock(async ({ signal }) => {
      await cluster.api.sleep(100);
      cluster.overtake('job');
      await aborted(cluster, signal);
      throw own;
    });
    expect(await cluster.settled(rejection(call))).toBe(own);
  });
});

describe('when the lock is lost, withLock', () => {
  it('aborts the signal in the moment of the loss, and rejects when the function has ended', async () => {
    await using cluster = await Cluster.start();
    let [token, toldAt] = [0n, 0];
    const call = cluster.lock('job').withLock(async ({ signal, fencingToken }) => {
      token = fencingToken;
      await cluster.api.sleep(100);
      cluster.overtake('job');
      toldAt = await aborted(cluster, signal);
      await cluster.api.sleep(400);
      return 'a value that must not be relied on';
    });
    const words = 'is not held any more: the Lease names another holder';
    const reason = await cluster.settled(rejection(call));
    const error = expectError(reason, LockLostError, 'ERR_LOCK_LOST', words);
    expect(error).toMatchObject({ reason: 'taken-over', fencingToken: token });
    expect([toldAt, cluster.now]).toEqual([100, 500]);
    expect(cluster.holder('job')).toBe('other');
  });

  it('aborts the signal before the lease ends where the API server cannot be reached', async () => {
    await using cluster = await Cluster.start();
    let toldAt = 0;
    const call = cluster.lock('job').withLock(async ({ signal }) => {
      cluster.api.pause();
      toldAt = await aborted(cluster, signal);
    });
    const reason = await cluster.settled(rejection(call));
    expect(reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(toldAt).toBe(quickHeldMs);
  });

  it('rejects with the reason of the signal when the function does', async () => {
    await using cluster = await Cluster.start();
    let seen: unknown;
    const call = cluster.lock('job').withLock(async ({ signal }) => {
      await cluster.api.sleep(100);
      cluster.overtake('job');
      await aborted(cluster, signal);
      seen = signal.reason;
      signal.throwIfAborted();
    });
    const reason = await cluster.settled(rejection(call));
    expectError(reason, LockLostError, 'ERR_LOCK_LOST');
    expect(reason).toBe(seen);
  });

  it('tells its function when the client is closed under it, and rejects', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const lock = cluster.lock('cut', { client });
    let told: unknown;
    const work = lock.withLock(async ({ signal, handle }) => {
      void client.close();
      told = signal.reason;
      expect(handle.isHeld()).toBe(false);
      await cluster.api.sleep(50);
      return 'done';
    });
    const reason = await cluster.settled(rejection(work));
    expect(reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'released' });
    expect(told).toBeInstanceOf(LockLostError);
  });
});

describe('the release of withLock', () => {
  it('is waited for before it settles', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const call = cluster.lock('job').withLock(() => {
      cluster.api.faults.delay({ match: update, requestMs: 300 });
    });
    await cluster.advance(299);
    expect(await isPending(call)).toBe(true);
    expect(cluster.holder('job')).toBe('me');
    await cluster.advance(1);
    expect(await isPending(call)).toBe(false);
    expect(cluster.holder('job')).toBe('');
  });
});

describe('without the lock, withLock', () => {
  it('does not call its function', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    let isCalled = false;
    const fn = (): void => {
      isCalled = true;
    };
    const lock = cluster.lock('job');
    const late = await cluster.settled(rejection(lock.withLock(fn, { timeoutMs: 1_000 })));
    expectError(late, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', 'held by "stranger"');
    const stop = new AbortController();
    const call = rejection(lock.withLock(fn, { signal: stop.signal }));
    await cluster.advance(100);
    stop.abort('enough');
    expect(await call).toBe('enough');
    expect(isCalled).toBe(false);
  });

  it('wants a function before anything is taken', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('early');
    await expect(lock.withLock('x' as never)).rejects.toMatchObject({ option: 'fn' });
    expect(cluster.api.requests.total).toBe(0);
  });
});
