import { describe, expect, it } from '@jest/globals';
import {
  AcquireTimeoutError,
  ClosedError,
  Lock,
  LockLostError,
  type LockHandle,
} from '@metaparticle/sync';
import { getEventListeners } from 'node:events';
import {
  elapsed,
  expectError,
  isPending,
  rejection,
  sleep,
  until,
} from '../../support/promises.js';
import { SocketCluster, quick, quickBeliefMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

/** A lease that no load of this machine makes late. */
const unhurried = { leaseDurationMs: 15_000, renewIntervalMs: 6_000 } as const;

// One block, since Jest lets only tests of one block wait beside each other.
describe('Lock', () => {
  it.concurrent('a lock is acquired, held and released, and the record says so', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    expect(handle.name).toBe('default/job');
    expect(handle.isHeld()).toBe(true);
    expect(() => handle.assertHeld()).not.toThrow();
    expect(handle.remainingMs()).toBeGreaterThan(quickBeliefMs / 2);
    expect(handle.remainingMs()).toBeLessThanOrEqual(quickBeliefMs);
    const held = world.spec('job');
    expect(held).toMatchObject({
      holderIdentity: 'me',
      leaseDurationSeconds: 4,
      leaseTransitions: 1,
    });
    expect(held.acquireTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const releasing = handle.release();
    expect(handle.isHeld()).toBe(false);
    expect(await releasing).toBe(true);
    expect(world.spec('job')).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  });

  it.concurrent('a lock says less and less time remaining, until it is renewed', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    const first = handle.remainingMs();
    await sleep(200);
    const second = handle.remainingMs();
    expect(second).toBeLessThanOrEqual(first - 190);
    await until('a renewal', () => handle.remainingMs() > second, 2_000);
    expect(handle.remainingMs()).toBeLessThanOrEqual(quickBeliefMs);
  });

  it.concurrent('a lock costs two requests more in steady state, both of them writes', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job');
    await (await lock.acquire()).release();
    await until('a watch', () => world.api.requests.counts.watch === 1);
    world.api.requests.reset();
    await (await lock.acquire()).release();
    const { counts, total } = world.api.requests;
    expect({ total, update: counts.update }).toEqual({ total: 2, update: 2 });
  });

  it.concurrent(
    'a lock is in the namespace and by the identity that the option, else the client says',
    async () => {
      await using world = await SocketCluster.start();
      const kubeConfig = world.api.kubeConfigFor({ namespace: 'of-context' });
      const plain = world.client({ kubeConfig, identity: 'of-client' });
      const client = world.client({ kubeConfig, identity: 'of-client', namespace: 'of-client' });
      await new Lock('a', { client: plain }).acquire();
      await new Lock('b', { client }).acquire();
      await new Lock('c', { client, namespace: 'of-option', identity: 'of-option' }).acquire();
      const where = world.api.leases.list().map(({ metadata: { namespace, name }, spec }) => {
        return `${namespace}/${name} ${String(spec.holderIdentity)}`;
      });
      const expected = ['of-client/b of-client', 'of-context/a of-client', 'of-option/c of-option'];
      expect(where.sort()).toEqual(expected);
    },
  );

  it.concurrent('a lock is released by await using', async () => {
    await using world = await SocketCluster.start();
    let signal: AbortSignal;
    {
      await using handle = await world.lock('job').acquire();
      signal = handle.signal;
      expect(world.holder('job')).toBe('me');
    }
    expect(world.holder('job')).toBe('');
    // Not by our own release.
    expect(signal.aborted).toBe(false);
  });

  it.concurrent(
    'a lock is not reentrant: two of one name exclude each other in one process',
    async () => {
      await using world = await SocketCluster.start();
      const [first, second] = [world.lock('job'), world.lock('job')];
      const handle = await first.acquire();
      expect(await first.tryAcquire()).toBeNull();
      expect(await second.tryAcquire()).toBeNull();
      const waiting = second.acquire();
      await sleep(300);
      expect(await isPending(waiting)).toBe(true);
      await handle.release();
      expect((await waiting).isHeld()).toBe(true);
      expect(handle.isHeld()).toBe(false);
    },
  );

  it.concurrent('a lock is handed over between processes at once', async () => {
    await using world = await SocketCluster.start();
    const held = await world.elsewhere('job', 'other', unhurried).acquire();
    const waiting = world.lock('job').acquire();
    await until('a watch', () => world.api.requests.counts.watch === 2);
    await sleep(100);
    world.api.requests.reset();
    await Promise.all([waiting, held.release()]);
    expect((await waiting).isHeld()).toBe(true);
    // Straight from the event of the release: nobody had to ask.
    expect(world.api.requests.counts).toMatchObject({ get: 0, list: 0, update: 2 });
  });

  it.concurrent('a lock of another process by our own identity is a stranger’s', async () => {
    await using world = await SocketCluster.start();
    const often = { ...unhurried, renewIntervalMs: 1_000 };
    const theirs = await world.elsewhere('job', 'me', often).acquire();
    expect(await world.lock('job').tryAcquire()).toBeNull();
    const waiting = world.lock('job').acquire();
    await sleep(2 * quick.renewIntervalMs + 500);
    expect(await isPending(waiting)).toBe(true);
    expect(theirs.isHeld()).toBe(true);
    expect(world.warned).toEqual(['SAME_IDENTITY']);
    expect(world.warnings[0]?.message).toContain('another process renews as me');
    await theirs.release();
    await waiting;
  });

  it.concurrent(
    'a lock of ours that was lost and is taken again is no sign of a double',
    async () => {
      await using world = await SocketCluster.start();
      const lock = world.lock('job');
      const lost = await lock.acquire();
      // Two renewals, so that the record is known to be one that is renewed.
      await sleep(2 * quick.renewIntervalMs + 300);
      world.api.faults.status({ match: update, code: 500 });
      await until('the loss', () => !lost.isHeld(), 6_000);
      world.api.faults.clear();
      await lock.acquire();
      expect(world.warned).not.toContain('SAME_IDENTITY');
    },
  );

  it.concurrent(
    'a lock keeps labels, annotations and owners: its own, and those of others',
    async () => {
      await using world = await SocketCluster.start();
      const [ours, theirs] = [owner('u-1'), owner('u-2')];
      world.api.leases.create({
        metadata: {
          name: 'job',
          labels: { app: 'x', team: 'a' },
          annotations: { note: 'n' },
          ownerReferences: [theirs],
        },
      });
      const lock = world.lock('job', {
        labels: { app: 'sync' },
        annotations: { 'example.com/why': 'because' },
        ownerReferences: [ours],
      });
      const handle = await lock.acquire();
      const expected = {
        labels: { app: 'sync', team: 'a' },
        annotations: { note: 'n', 'example.com/why': 'because' },
        ownerReferences: [theirs, ours],
      };
      expect(world.api.leases.get('default', 'job')?.metadata).toMatchObject(expected);
      world.api.leases.edit('default', 'job', ({ metadata }) => {
        metadata.labels = { late: 'too' };
      });
      await handle.release();
      const { labels, annotations, ownerReferences } =
        world.api.leases.get('default', 'job')?.metadata ?? {};
      expect({ labels, annotations, ownerReferences }).toEqual({
        ...expected,
        labels: { late: 'too', app: 'sync' },
      });
    },
  );

  it.concurrent(
    'the fencing token grows over releases, rivals, deletions and foreign holders',
    async () => {
      await using world = await SocketCluster.start({ initialVersion: 2n ** 60n });
      const tokens: bigint[] = [];
      const take = async (lock: Lock): Promise<void> => {
        const handle = await lock.acquire();
        expect(typeof handle.fencingToken).toBe('bigint');
        tokens.push(handle.fencingToken);
        await handle.release();
      };
      const [mine, theirs] = [world.lock('job'), world.elsewhere('job', 'other')];
      await take(mine);
      await take(mine);
      await take(theirs);
      await take(mine);
      world.api.leases.delete('default', 'job');
      await take(theirs);
      world.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = 'foreign'));
      world.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = null));
      await take(mine);
      world.api.leases.delete('default', 'job');
      await take(mine);
      expect(tokens[0]).toBeGreaterThan(2n ** 60n);
      for (const [index, token] of tokens.slice(1).entries()) {
        expect(token).toBeGreaterThan(tokens[index] ?? 0n);
      }
    },
  );

  it.concurrent(
    'the fencing token is the version that the claim replaced, stored by the claim itself',
    async () => {
      await using world = await SocketCluster.start();
      world.occupy('job', { holderIdentity: '' });
      const { resourceVersion } = world.api.leases.get('default', 'job')?.metadata ?? {};
      const handle = await world.lock('job').acquire();
      expect(handle.fencingToken).toBe(BigInt(resourceVersion ?? 0));
      const { annotations } = world.api.leases.get('default', 'job')?.metadata ?? {};
      const mark = JSON.parse(annotations?.['sync.metaparticle.io/term'] ?? '') as object;
      expect(mark).toMatchObject({ token: resourceVersion });
    },
  );

  it.concurrent(
    'tryAcquire gives a handle, or null at once where somebody holds the lock',
    async () => {
      await using world = await SocketCluster.start();
      const first = await world.elsewhere('job', 'other').tryAcquire();
      expect(first?.isHeld()).toBe(true);
      const call = world.lock('job').tryAcquire();
      expect(await elapsed(call)).toBeLessThan(2_500);
      expect(await call).toBeNull();
      await first?.release();
      expect((await world.lock('job').tryAcquire())?.isHeld()).toBe(true);
    },
  );

  it.concurrent('tryAcquire gives null where somebody in this process waits already', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job');
    const stop = new AbortController();
    const waiting = world.lock('job').acquire({ signal: stop.signal });
    await sleep(100);
    expect(await world.lock('job').tryAcquire()).toBeNull();
    stop.abort();
    await rejection(waiting);
  });

  it.concurrent(
    'tryAcquire takes over from a holder whom the server’s clock shows to be long dead',
    async () => {
      await using world = await SocketCluster.start();
      const crashed = world.api.leases.create({
        metadata: { name: 'job' },
        spec: { holderIdentity: 'crashed', leaseDurationSeconds: 4, ...timesBefore(30_000) },
      });
      world.api.leases.corrupt('default', 'job', backdated(30_000));
      expect(await world.lock('job', { trustServerClock: false }).tryAcquire()).toBeNull();
      const handle = await world.lock('job').tryAcquire();
      expect(handle?.fencingToken).toBe(BigInt(crashed.metadata.resourceVersion));
    },
  );

  it.concurrent('tryAcquire does not take over from one who may live', async () => {
    await using world = await SocketCluster.start();
    world.api.leases.create({
      metadata: { name: 'job' },
      spec: { holderIdentity: 'slow', leaseDurationSeconds: 4, ...timesBefore(9_000) },
    });
    world.api.leases.corrupt('default', 'job', backdated(9_000));
    expect(await world.lock('job').tryAcquire()).toBeNull();
  });

  it.concurrent('tryAcquire is called off by its signal', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.hang();
    const stop = new AbortController();
    const call = world.lock('job').tryAcquire({ signal: stop.signal });
    await until('a request', () => world.api.requests.total > 0);
    stop.abort('enough');
    expect(await rejection(call)).toBe('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it.concurrent(
    'waiting in one process is first come, first served, and only the head competes',
    async () => {
      await using world = await SocketCluster.start();
      world.occupy('job', { leaseDurationSeconds: 60 });
      const served: number[] = [];
      const waiters = Array.from({ length: 10 }, async (_, index) => {
        const handle = await world.lock('job').acquire();
        served.push(index);
        await sleep(10);
        expect(await handle.release()).toBe(true);
      });
      await until('a watch', () => world.api.requests.counts.watch > 0);
      await sleep(500);
      expect(world.api.requests.counts).toMatchObject({ get: 1, watch: 1, update: 0 });
      world.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = ''));
      await Promise.all(waiters);
      expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      // Each of the ten claimed once and released once, without a collision.
      expect(world.api.requests.counts.update).toBe(20);
      expect(world.api.requests.log.filter(({ status }) => status === 409)).toEqual([]);
    },
  );

  it.concurrent('waiting asks nothing while the holder renews', async () => {
    await using world = await SocketCluster.start();
    await world.elsewhere('job', 'other', { ...unhurried, renewIntervalMs: 2_000 }).acquire();
    const waiting = rejection(world.lock('job').acquire({ timeoutMs: 6_000 }));
    await until('two watches', () => world.api.requests.counts.watch === 2);
    await sleep(200);
    world.api.requests.reset();
    await until('two renewals', () => world.api.requests.counts.update >= 2, 5_500);
    const { get, list, create, watch } = world.api.requests.counts;
    expect({ get, list, create, watch }).toEqual({ get: 0, list: 0, create: 0, watch: 0 });
    await world[Symbol.asyncDispose]();
    expectError(await waiting, ClosedError, 'ERR_CLOSED');
  });

  it.concurrent('waiting ends with the time given to it', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { leaseDurationSeconds: 60 });
    const call = world.lock('job').acquire({ timeoutMs: 1_000 });
    const behind = world.lock('job').acquire({ timeoutMs: 300 });
    const late = expectError(await rejection(behind), AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT');
    expect(late.waitedMs).toBeGreaterThanOrEqual(299);
    expect(late.waitedMs).toBeLessThan(990);
    const error = await rejection(call);
    const parts = [/^lock default\/job not acquired within 1\d\d\d ms: held by "stranger"$/];
    expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', ...parts);
    expect(world.spec('job').holderIdentity).toBe('stranger');
  });

  it.concurrent('waiting for what this process itself holds is told so', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job');
    await lock.acquire();
    const error = await rejection(lock.acquire({ timeoutMs: 300 }));
    const words = 'in this process, and a lock is not reentrant';
    expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', words);
    const other = await rejection(world.elsewhere('job', 'other').acquire({ timeoutMs: 300 }));
    expect((other as Error).message).not.toContain(words);
  });

  it.concurrent(
    'waiting no time at all is no way to get a lock, and leaves nothing behind',
    async () => {
      await using world = await SocketCluster.start();
      const error = await rejection(world.lock('job').acquire({ timeoutMs: 0 }));
      expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', 'not acquired within');
      await sleep(200);
      expect(world.holder('job') ?? '').toBe('');
      expect((await world.lock('job').acquire()).isHeld()).toBe(true);
    },
  );

  it.concurrent.each([2 ** 31, 2 ** 40, Infinity])(
    'waiting for %d ms does not end at once',
    async (timeoutMs) => {
      await using world = await SocketCluster.start();
      world.occupy('job', { leaseDurationSeconds: 60 });
      const stop = new AbortController();
      const waiting = world.lock('job').acquire({ timeoutMs, signal: stop.signal });
      await sleep(200);
      expect(await isPending(waiting)).toBe(true);
      stop.abort();
      await rejection(waiting);
    },
  );

  it.concurrent(
    'waiting ends when the head is called off, with the reason, and the next goes on',
    async () => {
      await using world = await SocketCluster.start();
      world.occupy('job', { leaseDurationSeconds: 60 });
      const [head, queued] = [new AbortController(), new AbortController()];
      const calls = [
        world.lock('job').acquire({ signal: head.signal }),
        world.lock('job').acquire({ signal: queued.signal }),
        world.lock('job').acquire(),
      ] as const;
      await until('a watch', () => world.api.requests.counts.watch > 0);
      await sleep(100);
      expect(getEventListeners(head.signal, 'abort')).toHaveLength(1);
      expect(getEventListeners(queued.signal, 'abort')).toHaveLength(1);
      const [reasonOfHead, reasonOfQueued] = [new Error('head'), { odd: 'but allowed' }];
      queued.abort(reasonOfQueued);
      expect(await rejection(calls[1])).toBe(reasonOfQueued);
      head.abort(reasonOfHead);
      expect(await rejection(calls[0])).toBe(reasonOfHead);
      expect(getEventListeners(head.signal, 'abort')).toEqual([]);
      expect(getEventListeners(queued.signal, 'abort')).toEqual([]);
      world.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = ''));
      expect((await calls[2]).isHeld()).toBe(true);
    },
  );

  it.concurrent('waiting is not begun with a signal that has aborted', async () => {
    await using world = await SocketCluster.start();
    const signal = AbortSignal.abort('before');
    expect(await rejection(world.lock('job').acquire({ signal }))).toBe('before');
    expect(await rejection(world.lock('job').tryAcquire({ signal }))).toBe('before');
    expect(world.api.requests.total).toBe(0);
  });

  it.concurrent('waiting leaves a signal alone once it is over', async () => {
    await using world = await SocketCluster.start();
    const { signal } = new AbortController();
    const handle = await world.lock('job').acquire({ signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await rejection(world.lock('job').acquire({ signal, timeoutMs: 100 }));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(handle.isHeld()).toBe(true);
  });

  it.concurrent('a signal that aborts after the acquisition does not end the hold', async () => {
    await using world = await SocketCluster.start();
    const stop = new AbortController();
    const handle = await world.lock('job').acquire({ signal: stop.signal });
    stop.abort();
    await sleep(50);
    expect(handle.isHeld()).toBe(true);
    expect(handle.signal.aborted).toBe(false);
  });

  it.concurrent.each([0, 1, 2, 3, 4, 5, 6, 8, 12])(
    'waiting is called off also in the moment when its turn comes (%d microtasks on)',
    async (ticks) => {
      await using world = await SocketCluster.start();
      const [first, stop] = [new AbortController(), new AbortController()];
      world.occupy('job', { leaseDurationSeconds: 60 });
      // Off, so that a wait that never ends does not keep this process alive for ever.
      const lock = world.lock('job', { keepProcessAlive: false });
      const head = rejection(lock.acquire({ signal: first.signal }));
      const next = rejection(lock.acquire({ signal: stop.signal }));
      await until('a watch', () => world.api.requests.counts.watch > 0);
      first.abort('first');
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      stop.abort('called off');
      expect(await head).toBe('first');
      expect(await Promise.race([next, sleep(200, 'still waiting')])).toBe('called off');
    },
  );

  it.concurrent(
    'an acquisition that is called off while its claim is in flight, and wins after all, is vacated',
    async () => {
      await using world = await SocketCluster.start();
      world.api.faults.stallWatch();
      world.api.faults.delay({ match: update, responseMs: 400, times: 1 });
      const stop = new AbortController();
      const call = world.lock('job').acquire({ signal: stop.signal });
      await until('the claim', () => world.holder('job') === 'me');
      stop.abort('called off');
      const startedAt = performance.now();
      expect(await rejection(call)).toBe('called off');
      expect(performance.now() - startedAt).toBeLessThan(200);
      await until('the vacating', () => world.holder('job') === '', 2_000);
      expect((await world.elsewhere('job', 'other').tryAcquire())?.isHeld()).toBe(true);
    },
  );

  it.concurrent(
    'an acquisition that is called off before its claim arrives leaves nothing that could still land',
    async () => {
      await using world = await SocketCluster.start();
      world.occupy('job', { holderIdentity: '' });
      world.api.faults.commitLate({ match: update, afterMs: 1_000, times: 1 });
      const stop = new AbortController();
      const call = world.lock('job').acquire({ signal: stop.signal });
      await until('the claim', () => world.api.requests.counts.update === 1);
      stop.abort('called off');
      expect(await rejection(call)).toBe('called off');
      await sleep(1_500);
      expect(world.holder('job')).toBe('');
    },
  );

  it.concurrent('an acquisition that is called off does not hold up those behind it', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.stallWatch();
    world.api.faults.delay({ match: update, responseMs: 600, times: 1 });
    const call = world.lock('job').acquire({ timeoutMs: 200 });
    const next = world.lock('job').acquire();
    expectError(await rejection(call), AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT');
    expect((await next).isHeld()).toBe(true);
  });

  it.concurrent('a claim that is answered late past its belief is never believed', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { holderIdentity: '' });
    world.api.faults.stallWatch();
    const claimed = (): boolean => world.api.requests.counts.update > 0;
    world.api.faults.delay({ match: update, responseMs: quickBeliefMs + 300, times: 1 });
    world.api.faults.delay({
      match: ({ verb }) => verb === 'get' && claimed(),
      responseMs: quickBeliefMs + 300,
    });
    const call = world.lock('job').acquire();
    await until('the claim', () => world.holder('job') === 'me');
    const claimedAt = performance.now();
    const first = world.api.leases.get('default', 'job')?.metadata.resourceVersion;
    await sleep(quickBeliefMs + 50 - (performance.now() - claimedAt));
    expect(await isPending(call)).toBe(true);
    world.api.faults.clear();
    const handle = await call;
    // It was claimed anew: the token is not that of the first claim, and all of its belief is there.
    expect(handle.isHeld()).toBe(true);
    expect(handle.fencingToken).toBeGreaterThanOrEqual(BigInt(first ?? 0));
    expect(handle.remainingMs()).toBeGreaterThan(quickBeliefMs - 1_000);
  });

  it.concurrent(
    'a claim that is answered late but within it holds for what is left of it',
    async () => {
      await using world = await SocketCluster.start();
      world.occupy('job', { holderIdentity: '' });
      world.api.faults.stallWatch();
      world.api.faults.delay({ match: update, responseMs: 600, times: 1 });
      const handle = await world.lock('job').acquire();
      expect(handle.remainingMs()).toBeLessThanOrEqual(quickBeliefMs - 590);
    },
  );

  it.concurrent('release can be asked for again and again, with one answer', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    expect(await Promise.all([handle.release(), handle.release()])).toEqual([true, true]);
    expect(await handle.release()).toBe(true);
    expect(world.api.requests.counts.update).toBe(2);
    expect(handle.remainingMs()).toBe(0);
    expect(handle.loss).toBeNull();
    const error = expectError(
      caught(handle),
      LockLostError,
      'ERR_LOCK_LOST',
      'this process gave it up',
    );
    expect(error.reason).toBe('released');
  });

  it.concurrent('release gives false after a loss, and touches nobody’s record', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    world.api.leases.edit('default', 'job', ({ spec }) => {
      spec.holderIdentity = 'other';
      spec.renewTime = '2031-01-01T00:00:00.000000Z';
    });
    await until('the loss', () => handle.signal.aborted, 2_000);
    const before = world.api.leases.get('default', 'job');
    expect(await handle.release()).toBe(false);
    await sleep(200);
    expect(world.api.leases.get('default', 'job')).toEqual(before);
    expect(handle.loss).toBe(handle.signal.reason);
  });

  it.concurrent('release in the moment of a foreign claim touches nobody’s record', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.stallWatch();
    const handle = await world.lock('job').acquire();
    world.api.leases.edit('default', 'job', ({ spec }) => {
      spec.holderIdentity = 'other';
      spec.renewTime = '2031-01-01T00:00:00.000000Z';
    });
    const before = world.api.leases.get('default', 'job');
    expect(await handle.release()).toBe(false);
    expect(world.api.leases.get('default', 'job')).toEqual(before);
  });

  it.concurrent('release with a renewal in flight still lets go', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    world.api.faults.delay({ match: update, responseMs: 300, times: 1 });
    const before = world.api.requests.counts.update;
    await until('a renewal', () => world.api.requests.counts.update > before, 2_000);
    expect(await handle.release()).toBe(true);
    expect(world.holder('job')).toBe('');
  });

  it.concurrent('release whose answer is lost finds out that it was done', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    world.api.faults.dropAfterCommit({ times: 1 });
    expect(await handle.release()).toBe(true);
    expect(world.holder('job')).toBe('');
  });

  it.concurrent(
    'release settles within 5 s when the API server hangs, and leaves the lease to run out',
    async () => {
      await using world = await SocketCluster.start();
      const handle = await world.lock('job').acquire();
      world.api.pause();
      const startedAt = performance.now();
      expect(await handle.release()).toBe(false);
      expect(performance.now() - startedAt).toBeLessThan(5_500);
      expect(handle.signal.aborted).toBe(false);
    },
  );

  it.concurrent('release deletes the Lease where that is wanted', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job', { deleteOnRelease: true });
    const first = await lock.acquire();
    expect(await first.release()).toBe(true);
    expect(world.api.leases.get('default', 'job')).toBeUndefined();
    const before = { ...world.api.requests.counts };
    const second = await lock.acquire();
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    // What it deleted itself it does not try to claim, even if no event has told it yet.
    const { counts } = world.api.requests;
    expect([counts.create - before.create, counts.update - before.update]).toEqual([1, 1]);
  });

  it.concurrent('release does not delete what somebody has by then', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job', { deleteOnRelease: true }).acquire();
    world.api.faults.delay({ match: { verb: 'delete' }, requestMs: 300 });
    const releasing = handle.release();
    await until('the deletion', () => world.api.requests.counts.delete === 1);
    const theirs = await world.elsewhere('job', 'other').acquire();
    expect(await releasing).toBe(true);
    expect(world.holder('job')).toBe('other');
    expect(theirs.isHeld()).toBe(true);
  });

  it.concurrent('release by dispose never rejects, whatever happens', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    world.api.faults.forbid(update);
    await expect(handle[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });

  it('refuses a client, a signal or a controller in the place of options that name them', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    expect(() => new Lock('braces', client as never)).toThrow('got "an instance of LeaseClient"');
    const lock = world.lock('braces');
    const controller = new AbortController();
    await expect(lock.acquire(controller.signal as never)).rejects.toThrow('a plain object');
    await expect(lock.tryAcquire({ signal: controller as never })).rejects.toThrow(
      'signal: must be an AbortSignal',
    );
    expect(world.api.requests.total).toBe(0);
  });
});

function owner(uid: string) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', name: uid, uid };
}

function caught(handle: LockHandle): unknown {
  try {
    handle.assertHeld();
  } catch (error) {
    return error;
  }
  return undefined;
}

function timesBefore(ms: number): { acquireTime: string; renewTime: string } {
  const time = new Date(Date.now() - ms).toISOString().replace('Z', '000Z');
  return { acquireTime: time, renewTime: time };
}

/** The server then says that it took the record so long ago. */
function backdated(ms: number) {
  return ({
    metadata,
  }: {
    metadata: { managedFields?: { time?: string }[] | undefined };
  }): void => {
    const time = new Date(Date.now() - ms).toISOString().replace(/\.\d+/, '');
    for (const entry of metadata.managedFields ?? []) entry.time = time;
  };
}
