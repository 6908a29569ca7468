// release: what it confirms, what it leaves alone, and how long it tries.
import { describe, expect, it } from '@jest/globals';
import { LockLostError } from '@metaparticle/sync';
import { expectError, thrown } from '../../support/promises.js';
import { Cluster } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

describe('release', () => {
  it('can be asked for again and again, with one request and one answer', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const both = [handle.release(), handle.release()];
    expect(both[0]).toBe(both[1]);
    expect(await Promise.all(both)).toEqual([true, true]);
    expect(await handle.release()).toBe(true);
    // The claim, and one release.
    expect(cluster.api.requests.counts.update).toBe(2);
    expect(handle.remainingMs()).toBe(0);
    expect(handle.loss).toBeNull();
    const error = expectError(
      thrown(() => handle.assertHeld()),
      LockLostError,
      'ERR_LOCK_LOST',
      'this process gave it up',
    );
    expect(error.reason).toBe('released');
  });

  it('ends the renewals', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    await handle.release();
    cluster.api.requests.reset();
    await cluster.advance(20_000);
    expect(cluster.api.requests.total).toBe(0);
  });

  it('gives false after a loss, and touches no other holder’s record', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    await cluster.advance(0);
    cluster.overtake('job');
    await cluster.advance(0);
    expect(handle.signal.aborted).toBe(true);
    const before = cluster.api.leases.get('default', 'job');
    expect(await handle.release()).toBe(false);
    await cluster.advance(5_000);
    expect(cluster.api.leases.get('default', 'job')).toEqual(before);
    expect(handle.loss).toBe(handle.signal.reason);
  });

  it('in the moment of a foreign claim touches no other holder’s record', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const handle = await cluster.lock('job').acquire();
    cluster.overtake('job');
    const before = cluster.api.leases.get('default', 'job');
    expect(await handle.release()).toBe(false);
    expect(cluster.api.leases.get('default', 'job')).toEqual(before);
  });

  it('with a renewal in flight still lets go', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.faults.delay({ match: update, responseMs: 300, times: 1 });
    await cluster.advance(1_100);
    expect(cluster.api.requests.counts.update).toBe(2);
    expect(await cluster.settled(handle.release())).toBe(true);
    expect(cluster.holder('job')).toBe('');
  });

  it('whose answer is lost finds out that it was done', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.faults.dropAfterCommit({ times: 1 });
    expect(await cluster.settled(handle.release())).toBe(true);
    expect(cluster.holder('job')).toBe('');
  });

  it('settles after 5 s when the API server hangs, and leaves the lease to run out', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.pause();
    expect(await cluster.settled(handle.release())).toBe(false);
    expect(cluster.now).toBe(5_000);
    expect(handle.signal.aborted).toBe(false);
    expect(cluster.holder('job')).toBe('me');
  });

  it('by dispose never rejects, whatever happens', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.faults.forbid(update);
    const disposed = cluster.settled(handle[Symbol.asyncDispose]());
    await expect(disposed).resolves.toBeUndefined();
    expect(cluster.now).toBe(5_000);
  });
});

describe('deleteOnRelease', () => {
  it('deletes the Lease, and the next acquisition has a greater token all the same', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job', { deleteOnRelease: true });
    const first = await lock.acquire();
    expect(await first.release()).toBe(true);
    expect(cluster.api.leases.get('default', 'job')).toBeUndefined();
    cluster.api.requests.reset();
    const second = await lock.acquire();
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    // What it deleted itself it does not try to claim, even if no event has told it yet.
    expect(cluster.api.requests.counts).toMatchObject({ create: 1, update: 1 });
  });

  it('does not delete what another process has by then', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job', { deleteOnRelease: true }).acquire();
    cluster.api.faults.delay({ match: { verb: 'delete' }, requestMs: 300 });
    const releasing = handle.release();
    await cluster.until('the deletion', () => cluster.api.requests.counts.delete === 1);
    const theirs = await cluster.elsewhere('job', 'other').acquire();
    expect(await cluster.settled(releasing)).toBe(true);
    expect(cluster.now).toBe(300);
    expect(cluster.holder('job')).toBe('other');
    expect(theirs.isHeld()).toBe(true);
  });
});
