import { describe, expect, it } from '@jest/globals';
import { ClosedError, LeaseClient, LockLostError } from '@metaparticle/sync';
import type { Lock } from '@metaparticle/sync';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { defaultClient } from '../../../src/client.js';
import { expectError, isPending, rejection, thrown, until } from '../../support/promises.js';
import { Cluster, SocketCluster } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

function expectClosed(error: unknown): void {
  expectError(error, ClosedError, 'ERR_CLOSED', 'this LeaseClient is closed; make a new one');
}

describe('close', () => {
  it('releases everything that is held', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const names = ['a', 'b', 'c'];
    const locks = names.map((name) => cluster.lock(name, { client }));
    const handles = await Promise.all(locks.map((lock) => lock.acquire()));
    const closing = client.close();
    const words =
      'is not held any more: this process gave it up: released, or its client was closed';
    for (const handle of handles) {
      expect(handle.isHeld()).toBe(false);
      expect(handle.remainingMs()).toBe(0);
      const error = thrown(() => handle.assertHeld());
      expectError(error, LockLostError, 'ERR_LOCK_LOST', words);
    }
    await closing;
    expect(names.map((name) => cluster.holder(name))).toEqual(['', '', '']);
    for (const handle of handles) {
      // The holder did not let go by itself, so it is notified.
      expect(handle.signal.reason).toMatchObject({ reason: 'released' });
      expect(await handle.release()).toBe(true);
    }
    expect(cluster.now).toBe(0);
  });

  it('rejects every wait: heads, queued ones, attempts and withLock', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    cluster.api.faults.hang({ match: { name: 'other' } });
    const client = cluster.client();
    const lock = cluster.lock('job', { client });
    let isCalled = false;
    const waits = [
      lock.acquire(),
      lock.acquire({ timeoutMs: 60_000 }),
      lock.withLock(() => void (isCalled = true)),
      cluster.lock('other', { client }).tryAcquire(),
    ];
    const reasons = Promise.all(waits.map(rejection));
    await cluster.advance(100);
    await client.close();
    for (const reason of await reasons) expectClosed(reason);
    expect(cluster.now).toBe(100);
    expect(isCalled).toBe(false);
    expect(cluster.holder('job')).toBe('stranger');
  });

  it('rejects each of many waits for one name, not only those that would be served soon', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const client = cluster.client();
    const lock = cluster.lock('job', { client });
    const reasons = Promise.all(Array.from({ length: 100 }, () => rejection(lock.acquire())));
    await cluster.advance(100);
    await client.close();
    for (const reason of await reasons) expectClosed(reason);
  });

  it('is final: nothing can be acquired by this client any more', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const lock = cluster.lock('job', { client });
    await client.close();
    expectClosed(await rejection(lock.acquire()));
    expectClosed(await rejection(lock.acquire({ timeoutMs: 5 })));
    expectClosed(await rejection(lock.tryAcquire()));
    expectClosed(await rejection(lock.withLock(() => 1)));
    expect(cluster.api.requests.total).toBe(0);
    expect((await cluster.lock('job').acquire()).isHeld()).toBe(true);
  });

  it('waits for a claim in flight, and vacates it', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'closing' });
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: update, responseMs: 300, times: 1 });
    const reason = rejection(cluster.lock('job', { client }).acquire());
    await cluster.until('the claim', () => cluster.holder('job') === 'closing');
    await cluster.settled(client.close());
    expectClosed(await reason);
    expect(cluster.now).toBe(300);
    expect(cluster.holder('job')).toBe('');
  });

  it('is done after 5 s when the API server hangs', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const handle = await cluster.lock('job', { client }).acquire();
    cluster.api.pause();
    const closing = client.close();
    expect(handle.isHeld()).toBe(false);
    expect(await cluster.elapsed(closing)).toBe(5_000);
    expect(await handle.release()).toBe(false);
  });

  it('does not wait for a configuration that never comes', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({
      kubeConfig: {
        ...cluster.api.kubeConfig,
        applyToHTTPSOptions: () => new Promise<void>(() => undefined),
      },
    });
    const waiting = rejection(cluster.lock('job', { client }).acquire());
    await cluster.advance(50);
    await client.close();
    expectClosed(await waiting);
  });

  it('can be asked for again, also meanwhile: all calls settle when it is done', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    await cluster.lock('job', { client }).acquire();
    cluster.api.faults.delay({ match: update, requestMs: 300 });
    const both = [client.close(), client.close()];
    await cluster.advance(299);
    expect(await Promise.all(both.map(isPending))).toEqual([true, true]);
    await cluster.advance(1);
    expect(await Promise.all(both.map(isPending))).toEqual([false, false]);
    expect(cluster.holder('job')).toBe('');
    expect(await isPending(client.close())).toBe(false);
  });

  it('comes with await using', async () => {
    await using cluster = await Cluster.start();
    let lock: Lock;
    {
      await using client = cluster.client();
      lock = cluster.lock('job', { client });
      await lock.acquire();
    }
    expect(cluster.holder('job')).toBe('');
    expectClosed(await rejection(lock.acquire()));
  });

  it('of a client that was never used does nothing', async () => {
    await using cluster = await Cluster.start();
    await cluster.client().close();
    await new LeaseClient().close();
    expect(cluster.api.requests.total).toBe(0);
  });

  it('of one client leaves others alone', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const handle = await cluster.lock('mine').acquire();
    await cluster.lock('theirs', { client }).acquire();
    await client.close();
    await cluster.advance(10_000);
    expect(handle.isHeld()).toBe(true);
    expect(cluster.holder('mine')).toBe('me');
  });

  it('of the client that all share makes room for a new one', async () => {
    const shared = defaultClient();
    expect(defaultClient()).toBe(shared);
    await shared.close();
    const next = defaultClient();
    expect(next).not.toBe(shared);
    expect(defaultClient()).toBe(next);
    await next.close();
  });
});

describe('what close leaves running', () => {
  it('is no watch, no timer and no request', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    await cluster.lock('job', { client }).acquire();
    const waiting = rejection(cluster.lock('job', { client }).acquire());
    await cluster.advance(100);
    await client.close();
    await waiting;
    expect(cluster.api.faults.closeWatches()).toBe(0);
    const { total } = cluster.api.requests;
    await expect(cluster.until('never', () => false)).rejects.toThrow('no timer is left');
    expect(cluster.api.requests.total).toBe(total);
  });

  it('is no connection, over real sockets', async () => {
    await using cluster = await SocketCluster.start();
    const relay = await countingRelay(cluster.api.port);
    const kubeConfig = {
      ...cluster.api.kubeConfig,
      getCurrentCluster: () => ({ server: relay.url }),
    };
    const client = cluster.client({ kubeConfig });
    await cluster.lock('job', { client }).acquire();
    const waiting = rejection(cluster.lock('job', { client }).acquire());
    await until('a watch', () => cluster.api.requests.counts.watch > 0);
    expect(relay.open.size).toBeGreaterThan(0);
    await client.close();
    await waiting;
    await until('the end of all connections', () => relay.open.size === 0, 30_000);
    await relay.close();
  });
});

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
