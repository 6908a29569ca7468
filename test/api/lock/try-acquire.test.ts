// tryAcquire: a handle or null, without waiting for anything but an answer.
import { describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { LeaseObject } from '@metaparticle/sync/testing';
import { rejection } from '../../support/promises.js';
import { Cluster } from '../../support/cluster.js';

describe('tryAcquire', () => {
  it('gives a handle, or null at once where another process holds the lock', async () => {
    await using cluster = await Cluster.start();
    const first = await cluster.elsewhere('job', 'other').tryAcquire();
    expect(first?.isHeld()).toBe(true);
    expect(await cluster.lock('job').tryAcquire()).toBeNull();
    await first?.release();
    expect((await cluster.lock('job').tryAcquire())?.isHeld()).toBe(true);
    expect(cluster.now).toBe(0);
  });

  it('asks anew each time: one request where the lock is held', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const lock = cluster.lock('job');
    expect(await lock.tryAcquire()).toBeNull();
    await cluster.advance(10);
    cluster.api.requests.reset();
    expect(await lock.tryAcquire()).toBeNull();
    expect(cluster.api.requests.counts).toMatchObject({ get: 1, update: 0, create: 0 });
  });

  it('gives null where a call in this process waits already', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job');
    const stop = new AbortController();
    const waiting = cluster.lock('job').acquire({ signal: stop.signal });
    await cluster.advance(100);
    expect(await cluster.lock('job').tryAcquire()).toBeNull();
    stop.abort();
    await rejection(waiting);
  });

  it('takes over from a holder that the server’s clock shows to be long dead', async () => {
    await using cluster = await Cluster.start();
    const crashed = occupySince(cluster, 30_000, 'crashed');
    expect(await cluster.lock('job', { trustServerClock: false }).tryAcquire()).toBeNull();
    const handle = await cluster.lock('job').tryAcquire();
    expect(handle?.fencingToken).toBe(BigInt(crashed.metadata.resourceVersion));
  });

  // Two durations of 4 s, for API servers whose clocks differ, and 5 s for the grain of their times.
  it.each([
    [12_000, false],
    [13_000, true],
  ])('takes a holder that was silent for %d ms for long dead: %p', async (silentMs, isTaken) => {
    await using cluster = await Cluster.start();
    occupySince(cluster, silentMs, 'slow');
    const handle = await cluster.lock('job').tryAcquire();
    expect(handle !== null).toBe(isTaken);
  });

  it('is called off by its signal', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.hang();
    const stop = new AbortController();
    const call = cluster.lock('job').tryAcquire({ signal: stop.signal });
    await cluster.until('a request', () => cluster.api.requests.total > 0);
    stop.abort('enough');
    expect(await rejection(call)).toBe('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});

/** A record whose holder was last heard of so long ago, by the server's own account. */
function occupySince(cluster: Cluster, ms: number, holderIdentity: string): LeaseObject {
  const since = new Date(cluster.date.getTime() - ms).toISOString();
  const time = since.replace('Z', '000Z');
  const spec = { holderIdentity, leaseDurationSeconds: 4, acquireTime: time, renewTime: time };
  const created = cluster.api.leases.create({ metadata: { name: 'job' }, spec });
  cluster.api.leases.corrupt('default', 'job', ({ metadata }) => {
    for (const entry of metadata.managedFields ?? []) entry.time = since.replace(/\.\d+/, '');
  });
  return created;
}
