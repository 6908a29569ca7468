import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError, LockLostError } from '@metaparticle/sync';
import { expectError, isPending, rejection, sleep, until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

const update = { verb: 'update' } as const;
const own = new Error('the work failed');

/** Another elector takes the lease over, as it would after this process was paused. */
function overtake({ api }: SocketCluster): void {
  api.leases.edit('default', 'job', ({ spec }) => {
    spec.holderIdentity = 'other';
    spec.renewTime = '2031-01-01T00:00:00.000000Z';
  });
}

// One block, since Jest lets only tests of one block wait beside each other.
describe('withLock', () => {
  it.concurrent('hands the value on, of functions of every kind', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job');
    const value = { deep: [1n] };
    expect(await lock.withLock(() => Promise.resolve(value))).toBe(value);
    const sync: number = await lock.withLock(() => 7);
    expect(sync).toBe(7);
    await expect(lock.withLock(() => undefined)).resolves.toBeUndefined();
  });

  it.concurrent('holds the lock while the function runs, and not after', async () => {
    await using world = await SocketCluster.start();
    const { handle, signal } = await world.lock('job').withLock(async (held) => {
      expect(held.handle.isHeld()).toBe(true);
      expect(held.fencingToken).toBe(held.handle.fencingToken);
      expect(held.signal).toBe(held.handle.signal);
      expect(world.holder('job')).toBe('me');
      await sleep(50);
      expect(held.handle.isHeld()).toBe(true);
      return held;
    });
    expect(handle.isHeld()).toBe(false);
    expect(world.holder('job')).toBe('');
    expect(signal.aborted).toBe(false);
  });

  it.concurrent('is held long enough, whatever the function takes', async () => {
    await using world = await SocketCluster.start();
    await world.lock('job').withLock(async ({ handle }) => {
      await sleep(5_000);
      handle.assertHeld();
    });
  });

  it.concurrent('excludes others of the same name', async () => {
    await using world = await SocketCluster.start();
    let inside = 0;
    const work = async (): Promise<void> => {
      expect(++inside).toBe(1);
      await sleep(20);
      inside--;
    };
    const locks = [world.lock('job'), world.lock('job'), world.elsewhere('job', 'other')];
    await Promise.all(locks.map((lock) => lock.withLock(work)));
  });

  it.concurrent.each([
    ['rejects', () => Promise.reject(own)],
    [
      'throws',
      () => {
        throw own;
      },
    ],
  ])('lets the error of a function that %s through, and releases', async (_, fn) => {
    await using world = await SocketCluster.start();
    expect(await rejection(world.lock('job').withLock(fn))).toBe(own);
    expect(world.holder('job')).toBe('');
  });

  it.concurrent('lets it through also when the release fails', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(() => {
      world.api.faults.forbid(update);
      throw own;
    });
    expect(await rejection(call)).toBe(own);
    expect(world.holder('job')).toBe('me');
  });

  it.concurrent('lets it through also when the lock is lost', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(async ({ signal }) => {
      overtake(world);
      await until('the loss', () => signal.aborted, 2_000);
      throw own;
    });
    expect(await rejection(call)).toBe(own);
  });

  it.concurrent('rejects with the loss when the function is done after it', async () => {
    await using world = await SocketCluster.start();
    let token = 0n;
    const call = world.lock('job').withLock(async ({ signal, fencingToken }) => {
      token = fencingToken;
      overtake(world);
      await until('the loss', () => signal.aborted, 2_000);
      return 'a value that nobody may rely on';
    });
    const words = 'is not held any more: the Lease names another holder';
    const error = expectError(await rejection(call), LockLostError, 'ERR_LOCK_LOST', words);
    expect(error).toMatchObject({ reason: 'taken-over', fencingToken: token });
    expect(world.holder('job')).toBe('other');
  });

  it.concurrent('rejects with the reason of the signal when the function does', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(async ({ signal }) => {
      overtake(world);
      await until('the loss', () => signal.aborted, 2_000);
      signal.throwIfAborted();
    });
    expectError(await rejection(call), LockLostError, 'ERR_LOCK_LOST');
  });

  it.concurrent('hands the value on when only the release fails', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(() => {
      world.api.faults.forbid(update);
      return 'done while held';
    });
    expect(await call).toBe('done while held');
  });

  it.concurrent('hands the value on when the function released by itself', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(({ handle }) => handle.release());
    expect(await call).toBe(true);
  });

  it.concurrent('does not call the function of who did not get the lock', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { leaseDurationSeconds: 60 });
    let isCalled = false;
    const fn = (): void => {
      isCalled = true;
    };
    const lock = world.lock('job');
    const late = await rejection(lock.withLock(fn, { timeoutMs: 1_000 }));
    expectError(late, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', 'held by "stranger"');
    expect(await rejection(lock.withLock(fn, { signal: AbortSignal.timeout(100) }))).toMatchObject({
      name: 'TimeoutError',
    });
    expect(isCalled).toBe(false);
  });

  it.concurrent('leaves the function alone when the signal of the wait aborts later', async () => {
    await using world = await SocketCluster.start();
    const stop = new AbortController();
    const call = world.lock('job').withLock(
      async ({ signal }) => {
        stop.abort();
        await sleep(50);
        return signal.aborted;
      },
      { signal: stop.signal },
    );
    expect(await call).toBe(false);
  });

  it.concurrent('waits for the release before it settles', async () => {
    await using world = await SocketCluster.start();
    const call = world.lock('job').withLock(() => {
      world.api.faults.stallWatch();
      world.api.faults.delay({ match: update, requestMs: 300 });
    });
    await until('the release', () => world.api.requests.counts.update === 2);
    await sleep(100);
    expect(await isPending(call)).toBe(true);
    await call;
    expect(world.holder('job')).toBe('');
  });

  it('tells its function when the client is closed under it, and rejects', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    const lock = world.lock('cut', { client });
    let told: unknown;
    const work = lock.withLock(async ({ signal, handle }) => {
      void client.close();
      told = signal.reason;
      expect(handle.isHeld()).toBe(false);
      await sleep(50);
      return 'done';
    });
    await expect(work).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'released' });
    expect(told).toBeInstanceOf(LockLostError);
  });

  it('wants a function before anything is taken', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('early');
    await expect(lock.withLock('x' as never)).rejects.toMatchObject({ option: 'fn' });
    expect(world.api.requests.total).toBe(0);
  });
});
