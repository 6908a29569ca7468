import { describe, expect, it } from '@jest/globals';
import { ClosedError, LeaseClient, LockLostError } from '@metaparticle/sync';
import type { Lock } from '@metaparticle/sync';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { defaultClient } from '../../../src/client.js';
import {
  elapsed,
  expectError,
  isPending,
  rejection,
  sleep,
  thrown,
  until,
} from '../../support/promises.js';
import { SocketCluster, quick } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

function expectClosed(error: unknown): void {
  expectError(error, ClosedError, 'ERR_CLOSED', 'this LeaseClient is closed; make a new one');
}

/** The way to a server, with the connections on it counted. */
async function countingRelay(port: number) {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    open.add(near);
    near
      .on('error', () => undefined)
      .on('close', () => {
        open.delete(near);
        far.destroy();
      });
    far.on('error', () => undefined).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, open, close: () => new Promise((resolve) => server.close(resolve)) };
}

// One block, since Jest lets only tests of one block wait beside each other.
describe('close', () => {
  it.concurrent('releases everything that is held', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    const names = ['a', 'b', 'c'];
    const handles = await Promise.all(names.map((name) => world.lock(name, { client }).acquire()));
    const closing = client.close();
    for (const handle of handles) {
      expect(handle.isHeld()).toBe(false);
      expect(handle.remainingMs()).toBe(0);
      const words =
        'is not held any more: this process gave it up: released, or its client was closed';
      expectError(
        thrown(() => handle.assertHeld()),
        LockLostError,
        'ERR_LOCK_LOST',
        words,
      );
    }
    await closing;
    expect(names.map((name) => world.holder(name))).toEqual(['', '', '']);
    for (const handle of handles) {
      // Whoever holds it did not let go himself: he is told.
      expect(handle.signal.reason).toMatchObject({ reason: 'released' });
      expect(await handle.release()).toBe(true);
    }
  });

  it.concurrent('rejects every wait: heads, queued ones, attempts and withLock', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { leaseDurationSeconds: 60 });
    const client = world.client();
    const lock = world.lock('job', { client });
    let isCalled = false;
    const waits = [
      lock.acquire(),
      lock.acquire({ timeoutMs: 60_000 }),
      lock.withLock(() => void (isCalled = true)),
      world.lock('other', { client }).tryAcquire(),
    ];
    const reasons = waits.map(rejection);
    world.api.faults.hang({ match: { name: 'other' } });
    await until('a watch', () => world.api.requests.counts.watch > 0);
    await client.close();
    for (const reason of reasons) expectClosed(await reason);
    expect(isCalled).toBe(false);
    expect(world.holder('job')).toBe('stranger');
  });

  it.concurrent('is final: nothing can be acquired by this client any more', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    const lock = world.lock('job', { client });
    await client.close();
    expectClosed(await rejection(lock.acquire()));
    expectClosed(await rejection(lock.acquire({ timeoutMs: 5 })));
    expectClosed(await rejection(lock.tryAcquire()));
    expectClosed(await rejection(lock.withLock(() => 1)));
    expect(world.api.requests.total).toBe(0);
    expect((await world.lock('job').acquire()).isHeld()).toBe(true);
  });

  it.concurrent('waits for a claim in flight, and vacates it', async () => {
    await using world = await SocketCluster.start();
    const client = world.client({ identity: 'closing' });
    world.api.faults.stallWatch();
    world.api.faults.delay({ match: update, responseMs: 300, times: 1 });
    const reason = rejection(world.lock('job', { client }).acquire());
    await until('the claim', () => world.holder('job') === 'closing');
    await client.close();
    expectClosed(await reason);
    expect(world.holder('job')).toBe('');
  });

  it.concurrent('is done within about 5 s when the API server hangs', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    const handle = await world.lock('job', { client }).acquire();
    world.api.pause();
    expect(await elapsed(client.close())).toBeLessThan(5_800);
    expect(handle.isHeld()).toBe(false);
    expect(await handle.release()).toBe(false);
  });

  it.concurrent('leaves nothing running: no watch, no connection, no request', async () => {
    await using world = await SocketCluster.start();
    const relay = await countingRelay(world.api.port);
    const kubeConfig = {
      ...world.api.kubeConfig,
      getCurrentCluster: () => ({ server: relay.url }),
    };
    const client = world.client({ kubeConfig });
    await world.lock('job', { client }).acquire();
    const waiting = rejection(world.lock('job', { client }).acquire());
    await until('a watch', () => world.api.requests.counts.watch > 0);
    expect(relay.open.size).toBeGreaterThan(0);
    await client.close();
    await waiting;
    await until('the end of all connections', () => relay.open.size === 0, 1_000);
    await until('the end of all watches', () => world.api.faults.closeWatches() === 0, 1_000);
    const { total } = world.api.requests;
    await sleep(1.5 * quick.renewIntervalMs);
    expect(world.api.requests.total).toBe(total);
    expect(relay.open.size).toBe(0);
    await relay.close();
  });

  it.concurrent(
    'can be asked for again, also meanwhile: all are told when it is done',
    async () => {
      await using world = await SocketCluster.start();
      const client = world.client();
      await world.lock('job', { client }).acquire();
      world.api.faults.delay({ match: update, requestMs: 300 });
      const first = client.close();
      const second = client.close();
      await sleep(100);
      expect(await isPending(second)).toBe(true);
      await Promise.all([first, second]);
      expect(world.holder('job')).toBe('');
      expect(await elapsed(client.close())).toBeLessThan(50);
    },
  );

  it.concurrent('of a client that was never used does nothing', async () => {
    await using world = await SocketCluster.start();
    await world.client().close();
    await new LeaseClient().close();
    expect(world.api.requests.total).toBe(0);
  });

  it.concurrent('does not wait for a configuration that never comes', async () => {
    await using world = await SocketCluster.start();
    const kubeConfig = {
      ...world.api.kubeConfig,
      applyToHTTPSOptions: () => new Promise<void>(() => undefined),
    };
    const client = world.client({ kubeConfig });
    const waiting = rejection(world.lock('job', { client }).acquire());
    await sleep(50);
    expect(await elapsed(client.close())).toBeLessThan(5_800);
    expectClosed(await waiting);
  });

  it.concurrent('comes with await using', async () => {
    await using world = await SocketCluster.start();
    let lock: Lock;
    {
      await using client = world.client();
      lock = world.lock('job', { client });
      await lock.acquire();
    }
    expect(world.holder('job')).toBe('');
    expectClosed(await rejection(lock.acquire()));
  });

  it.concurrent('of the client that all share makes room for a new one', async () => {
    const shared = defaultClient();
    expect(defaultClient()).toBe(shared);
    await shared.close();
    const next = defaultClient();
    expect(next).not.toBe(shared);
    expect(defaultClient()).toBe(next);
    await next.close();
  });

  it.concurrent('of one client leaves others alone', async () => {
    await using world = await SocketCluster.start();
    const client = world.client();
    const handle = await world.lock('mine').acquire();
    await world.lock('theirs', { client }).acquire();
    await client.close();
    expect(handle.isHeld()).toBe(true);
    expect(world.holder('mine')).toBe('me');
  });
});
