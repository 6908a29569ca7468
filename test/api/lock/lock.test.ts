// What a lock is while it is held: its record, its time, its fencing token, and how it ends unasked.
import { describe, expect, it } from '@jest/globals';
import { Lock, LockLostError } from '@metaparticle/sync';
import { Cluster, quick, quickHeldMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;
const unhurried = { leaseDurationMs: 15_000, renewIntervalMs: 6_000 } as const;

describe('a lock that was acquired', () => {
  it('says that it is held, and so does its record', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    expect(handle.name).toBe('default/job');
    expect(handle.isHeld()).toBe(true);
    expect(() => handle.assertHeld()).not.toThrow();
    expect(handle.loss).toBeNull();
    expect(cluster.spec('job')).toEqual({
      holderIdentity: 'me',
      leaseDurationSeconds: 4,
      acquireTime: '2030-01-01T00:00:00.000000Z',
      renewTime: '2030-01-01T00:00:00.000000Z',
      leaseTransitions: 1,
    });
  });

  it('is not held any more from the call of release on, and the record is vacant after it', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const releasing = handle.release();
    expect(handle.isHeld()).toBe(false);
    expect(handle.remainingMs()).toBe(0);
    expect(await releasing).toBe(true);
    expect(cluster.spec('job')).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  });

  it('is released by await using', async () => {
    await using cluster = await Cluster.start();
    let signal: AbortSignal;
    {
      await using handle = await cluster.lock('job').acquire();
      signal = handle.signal;
      expect(cluster.holder('job')).toBe('me');
    }
    expect(cluster.holder('job')).toBe('');
    // Not by our own release.
    expect(signal.aborted).toBe(false);
  });

  it('is in the namespace and by the identity of the option, else of the client, else of the context', async () => {
    await using cluster = await Cluster.start();
    const kubeConfig = cluster.api.kubeConfigFor({ namespace: 'of-context' });
    const plain = cluster.client({ kubeConfig, identity: 'of-client' });
    const client = cluster.client({ kubeConfig, identity: 'of-client', namespace: 'of-client' });
    await new Lock('a', { client: plain }).acquire();
    await new Lock('b', { client }).acquire();
    await new Lock('c', { client, namespace: 'of-option', identity: 'of-option' }).acquire();
    const where = cluster.api.leases.list().map(({ metadata: { namespace, name }, spec }) => {
      return `${namespace}/${name} ${String(spec.holderIdentity)}`;
    });
    const expected = ['of-client/b of-client', 'of-context/a of-client', 'of-option/c of-option'];
    expect(where.sort()).toEqual(expected);
  });

  it('is not reentrant: two of one name exclude each other in one process, too', async () => {
    await using cluster = await Cluster.start();
    const [first, second] = [cluster.lock('job'), cluster.lock('job')];
    const handle = await first.acquire();
    expect(await first.tryAcquire()).toBeNull();
    expect(await second.tryAcquire()).toBeNull();
    const waiting = second.acquire();
    await cluster.advance(60_000);
    expect(handle.isHeld()).toBe(true);
    await handle.release();
    expect((await waiting).isHeld()).toBe(true);
    expect(handle.isHeld()).toBe(false);
  });

  it('refuses a client, a signal or a controller in the place of options that name them', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    expect(() => new Lock('braces', client as never)).toThrow('got an instance of LeaseClient');
    const lock = cluster.lock('braces');
    const controller = new AbortController();
    await expect(lock.acquire(controller.signal as never)).rejects.toThrow('a plain object');
    await expect(lock.tryAcquire({ signal: controller as never })).rejects.toThrow(
      'signal: must be an AbortSignal',
    );
    expect(cluster.api.requests.total).toBe(0);
  });
});

describe('the time that is left', () => {
  it('is the lease duration less the margin and 50 ms for late timers, from the moment of the claim', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    expect(handle.remainingMs()).toBe(4_000 - 500 - 50);
    const wide = await cluster.lock('wide', { marginMs: 900 }).acquire();
    expect(wide.remainingMs()).toBe(4_000 - 900 - 50);
  });

  it('shrinks with the clock, until a renewal restores it', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    await cluster.advance(999);
    expect(handle.remainingMs()).toBe(quickHeldMs - 999);
    await cluster.advance(1);
    expect(handle.remainingMs()).toBe(quickHeldMs);
  });

  it('counts from when a renewal was sent, not from when it was answered', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const handle = await cluster.lock('job').acquire();
    cluster.api.faults.delay({ match: update, requestMs: 100, responseMs: 300 });
    await cluster.advance(1_399);
    expect(handle.remainingMs()).toBe(quickHeldMs - 1_399);
    await cluster.advance(1);
    expect(handle.remainingMs()).toBe(quickHeldMs - 400);
  });

  it('is renewed once an interval, for as long as the lock is held', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.requests.reset();
    const begunAt = cluster.date.getTime();
    await cluster.advance(60_000);
    expect(handle.isHeld()).toBe(true);
    const { counts, log, total } = cluster.api.requests;
    expect({ total, update: counts.update }).toEqual({ total: 60, update: 60 });
    const sent = log.map(({ at }) => at - begunAt);
    expect(sent).toEqual(Array.from({ length: 60 }, (_, n) => (n + 1) * quick.renewIntervalMs));
    expect(cluster.spec('job')).toMatchObject({
      acquireTime: '2030-01-01T00:00:00.000000Z',
      renewTime: '2030-01-01T00:01:00.000000Z',
      leaseTransitions: 1,
    });
  });
});

describe('a lock that cannot be renewed', () => {
  it('is lost when its time is up, to the millisecond, and its signal says so', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.pause();
    let lostAt = 0;
    handle.signal.addEventListener('abort', () => (lostAt = cluster.now));
    await cluster.advance(quickHeldMs - 1);
    expect(handle.isHeld()).toBe(true);
    expect(handle.remainingMs()).toBe(1);
    await cluster.advance(1);
    expect(handle.isHeld()).toBe(false);
    expect(lostAt).toBe(quickHeldMs);
    expect(handle.loss).toBe(handle.signal.reason);
    expect(handle.loss).toMatchObject({
      reason: 'expired',
      lock: 'default/job',
      fencingToken: handle.fencingToken,
    });
    expect(() => handle.assertHeld()).toThrow(LockLostError);
  });

  it('is tried again until then, and kept when one renewal gets through', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.faults.status({ match: update, code: 500 });
    await cluster.advance(quickHeldMs - 300);
    cluster.api.faults.clear();
    await cluster.advance(300);
    expect(handle.isHeld()).toBe(true);
    expect(handle.remainingMs()).toBeGreaterThan(quickHeldMs - 300);
  });

  it('stays lost, though a renewal was stored and its answer comes in the end', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const handle = await cluster.lock('job').acquire();
    const { renewTime } = cluster.spec('job');
    cluster.api.faults.delay({ responseMs: 3_000 });
    await cluster.until('the loss', () => handle.signal.aborted);
    expect(cluster.now).toBe(quickHeldMs);
    // The record says that it is held, and for longer; the holder has stopped already.
    expect(cluster.spec('job').renewTime).not.toBe(renewTime);
    const { loss } = handle;
    await cluster.advance(10_000);
    expect(handle.isHeld()).toBe(false);
    expect(handle.remainingMs()).toBe(0);
    expect(handle.loss).toBe(loss);
    expect(handle.signal.reason).toBe(loss);
  });

  it('is lost by the margin and 50 ms before another process may take it over', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.elsewhere('job', 'cut-off').acquire();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(0);
    cluster.api.faults.hang({ match: update });
    await cluster.until('the loss', () => handle.signal.aborted);
    expect(cluster.now).toBe(quick.leaseDurationMs - quick.marginMs - 50);
    cluster.api.faults.clear();
    const taken = await cluster.settled(waiting);
    // Of several that wait not all are to write at once: each holds off by chance, here by up to 25 ms.
    expect(cluster.now).toBeGreaterThanOrEqual(quick.leaseDurationMs);
    expect(cluster.now).toBeLessThan(quick.leaseDurationMs + 25);
    expect(taken.fencingToken).toBeGreaterThan(handle.fencingToken);
  });
});

describe('what a lock asks of the API server', () => {
  it('is two writes, one to acquire and one to release, once it is known', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    await (await lock.acquire()).release();
    await cluster.advance(0);
    cluster.api.requests.reset();
    await (await lock.acquire()).release();
    const { counts, total } = cluster.api.requests;
    expect({ total, update: counts.update }).toEqual({ total: 2, update: 2 });
  });

  it('is nothing but those of a process that waits and is handed the lock', async () => {
    await using cluster = await Cluster.start();
    const held = await cluster.elsewhere('job', 'other', unhurried).acquire();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(100);
    cluster.api.requests.reset();
    await Promise.all([waiting, held.release()]);
    expect((await waiting).isHeld()).toBe(true);
    // Straight from the event of the release: no request was needed to find out.
    expect(cluster.api.requests.counts).toMatchObject({ get: 0, list: 0, watch: 0, update: 2 });
    expect(cluster.now).toBe(100);
  });
});

describe('the identity of a holder', () => {
  it('does not make the lock of another process ours', async () => {
    await using cluster = await Cluster.start();
    const often = { ...unhurried, renewIntervalMs: 1_000 };
    const theirs = await cluster.elsewhere('job', 'me', often).acquire();
    expect(await cluster.lock('job').tryAcquire()).toBeNull();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(10_000);
    expect(theirs.isHeld()).toBe(true);
    expect(cluster.holder('job')).toBe('me');
    expect(cluster.warned).toEqual(['SAME_IDENTITY']);
    expect(cluster.warnings[0]?.message).toContain('another process renews as me');
    await theirs.release();
    expect((await waiting).isHeld()).toBe(true);
  });

  it('is no sign of a double where it is on our own record, of a lock that was lost', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    const lost = await lock.acquire();
    // Two renewals, so that the record is known to be one that is renewed.
    await cluster.advance(2 * quick.renewIntervalMs + 300);
    cluster.api.faults.status({ match: update, code: 500 });
    await cluster.until('the loss', () => lost.signal.aborted);
    cluster.api.faults.clear();
    await cluster.settled(lock.acquire());
    expect(cluster.warned).not.toContain('SAME_IDENTITY');
  });
});

describe('labels, annotations and owners', () => {
  it('of the lock are added, and those of others are kept', async () => {
    await using cluster = await Cluster.start();
    const [ours, theirs] = [owner('u-1'), owner('u-2')];
    cluster.api.leases.create({
      metadata: {
        name: 'job',
        labels: { app: 'x', team: 'a' },
        annotations: { note: 'n' },
        ownerReferences: [theirs],
      },
    });
    const lock = cluster.lock('job', {
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
    expect(cluster.api.leases.get('default', 'job')?.metadata).toMatchObject(expected);
    cluster.api.leases.edit('default', 'job', ({ metadata }) => {
      metadata.labels = { late: 'too' };
    });
    await handle.release();
    const { labels, annotations, ownerReferences } =
      cluster.api.leases.get('default', 'job')?.metadata ?? {};
    expect({ labels, annotations, ownerReferences }).toEqual({
      ...expected,
      labels: { late: 'too', app: 'sync' },
    });
  });
});

describe('the fencing token', () => {
  it('grows over releases, rivals, deletions and foreign holders', async () => {
    await using cluster = await Cluster.start({ initialVersion: 2n ** 60n });
    const tokens: bigint[] = [];
    const take = async (lock: Lock): Promise<void> => {
      const handle = await cluster.settled(lock.acquire());
      expect(typeof handle.fencingToken).toBe('bigint');
      tokens.push(handle.fencingToken);
      await handle.release();
    };
    const [mine, theirs] = [cluster.lock('job'), cluster.elsewhere('job', 'other')];
    await take(mine);
    await take(mine);
    await take(theirs);
    await take(mine);
    cluster.api.leases.delete('default', 'job');
    await take(theirs);
    cluster.overtake('job', 'foreign');
    cluster.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = null));
    await take(mine);
    cluster.api.leases.delete('default', 'job');
    await take(mine);
    expect(tokens).toHaveLength(7);
    expect(tokens[0]).toBeGreaterThan(2n ** 60n);
    for (const [index, token] of tokens.slice(1).entries()) {
      expect(token).toBeGreaterThan(tokens[index] ?? 0n);
    }
  });

  it('is the version that the claim replaced, stored by the claim itself', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '' });
    const { resourceVersion } = cluster.api.leases.get('default', 'job')?.metadata ?? {};
    const handle = await cluster.lock('job').acquire();
    expect(handle.fencingToken).toBe(BigInt(resourceVersion ?? 0));
    expect(termOf(cluster)).toMatchObject({ token: resourceVersion });
  });

  it('is that of the claim for the whole term, whatever renewals and edits follow', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const { fencingToken } = handle;
    await cluster.advance(3_500);
    cluster.api.leases.edit('default', 'job', ({ metadata }) => {
      metadata.labels = { edited: 'by-hand' };
    });
    await cluster.advance(3_500);
    expect(handle.fencingToken).toBe(fencingToken);
    expect(termOf(cluster)).toMatchObject({ token: String(fencingToken) });
  });
});

/** What the record says of the term, for other processes of this library. */
function termOf({ api }: Cluster): unknown {
  const { annotations } = api.leases.get('default', 'job')?.metadata ?? {};
  return JSON.parse(annotations?.['sync.metaparticle.io/term'] ?? 'null');
}

function owner(uid: string) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', name: uid, uid };
}
