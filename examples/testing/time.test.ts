// Tests on a manual clock: a lease of 15 s, outages and long work, in milliseconds. docs/testing.md explains them.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Election, LeaseClient, Lock, type StopReason } from '@metaparticle/sync';
import { startLeaseServer, type ManualLeaseServer } from '@metaparticle/sync/testing';

describe('on a manual clock', () => {
  let api: ManualLeaseServer;
  let client: LeaseClient;

  beforeEach(async () => {
    api = await startLeaseServer({ clock: 'manual' });
    client = new LeaseClient({ kubeConfig: api.kubeConfig });
  });

  afterEach(async () => {
    await api.advanceUntil(client.close());
    await api.close();
  });

  it('skips the work while another process holds the lock', async () => {
    const lock = new Lock('settle-payments', { client });
    await using handle = await lock.acquire();
    expect(await lock.tryAcquire()).toBeNull();
    expect(handle.isHeld()).toBe(true);
    expect(api.now).toBe(0);
  });

  it('renews the lock while the work takes its time', async () => {
    const lock = new Lock('settle-payments', { client });
    const working = lock.withLock(async ({ signal }) => {
      await api.sleep(60_000);
      return signal.aborted ? 'interrupted' : 'settled';
    });
    expect(await api.advanceUntil(working)).toBe('settled');
    expect(api.now).toBe(60_000);
  });

  it('takes over 15 s after the holder has crashed', async () => {
    const other = new LeaseClient({
      kubeConfig: api.kubeConfigFor({ user: 'other' }),
      onWarning: () => undefined,
    });
    const lost = await new Lock('settle-payments', { client: other }).acquire();
    const waiting = new Lock('settle-payments', { client }).acquire();
    await api.advance(0); // the wait has begun

    // As if the other process had died: nothing that it sends arrives any more.
    api.faults.dropBefore({ match: { user: 'other' } });
    const handle = await api.advanceUntil(waiting);

    expect(Math.floor(api.now / 1_000)).toBe(15);
    expect(lost.isHeld()).toBe(false);
    expect(handle.fencingToken).toBeGreaterThan(lost.fencingToken);
    await api.advanceUntil(other.close());
  });

  it('survives an outage of 10 s, and loses the lock in one of 13 s', async () => {
    const handle = await new Lock('settle-payments', { client }).acquire();
    api.pause();
    await api.advance(10_000);
    expect(handle.isHeld()).toBe(true);
    api.resume();
    await api.advance(2_000);

    api.pause();
    await api.advance(13_000);
    expect(handle.isHeld()).toBe(false);
    expect(handle.signal.aborted).toBe(true);
    api.resume();
  });

  it('stops leading when it loses the lease, and leads again later', async () => {
    const terms: string[] = [];
    const stop = new AbortController();
    const election = new Election('payments-leader', {
      client,
      onStartedLeading: async ({ signal }) => {
        terms.push(`leads at ${api.now}`);
        while (!signal.aborted) await api.sleep(500); // the work of a leader
      },
      onStoppedLeading: (reason: StopReason) => terms.push(reason),
    });
    const running = election.run({ signal: stop.signal });
    await api.advanceUntil(() => election.isLeader());

    // An operator writes another holder into the Lease.
    api.leases.edit('default', 'payments-leader', ({ spec }) => {
      spec.holderIdentity = 'operator';
    });
    await api.advanceUntil(() => !election.isLeader());
    await api.advanceUntil(() => election.isLeader());
    stop.abort();
    await api.advanceUntil(running);

    expect(terms).toEqual(['leads at 0', 'lost', expect.stringMatching(/^leads at 15/), 'aborted']);
  });

  it('waits no longer than it was told to', async () => {
    const lock = new Lock('settle-payments', { client });
    await using handle = await lock.acquire();
    const waiting = lock.acquire({ timeoutMs: 5_000 });
    await expect(api.advanceUntil(waiting)).rejects.toThrow('not acquired within 5000 ms');
    expect([api.now, handle.isHeld()]).toEqual([5_000, true]);
  });

  it('knows after a suspension of the machine that its lock is lost', async () => {
    const handle = await new Lock('settle-payments', { client }).acquire();
    api.suspend(60_000);
    expect(handle.isHeld()).toBe(false);
  });

  it('moves neither setTimeout nor AbortSignal.timeout', async () => {
    const signal = AbortSignal.timeout(60_000);
    let isOver = false;
    const timer = setTimeout(() => (isOver = true), 60_000);
    await api.advance(120_000);
    expect([signal.aborted, isOver]).toEqual([false, false]);
    clearTimeout(timer);
  });

  it('does the same in every run', async () => {
    const run = async (seed: number): Promise<string[]> => {
      await using server = await startLeaseServer({ clock: 'manual', seed });
      const clients = ['a', 'b', 'c'].map(
        (identity) => new LeaseClient({ kubeConfig: server.kubeConfig, identity }),
      );
      const order: string[] = [];
      const work = clients.map(async (one) => {
        for (let round = 0; round < 3; round++) {
          await new Lock('settle-payments', { client: one }).withLock(async () => {
            order.push(`${one.identity} at ${server.now}`);
            await server.sleep(1_000);
          });
        }
      });
      await server.advanceUntil(Promise.all(work));
      await server.advanceUntil(Promise.all(clients.map((one) => one.close())));
      return order;
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(7)).not.toEqual(await run(8));
  });
});
