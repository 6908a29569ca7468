// An acquisition of a lock that the code around it holds: it waits for itself, and is not silent about it.
import { describe, expect, it } from '@jest/globals';
import type { LockOptions } from '@metaparticle/sync';
import { candidate, end, leader } from '../../support/candidate.js';
import { Cluster, quick } from '../../support/cluster.js';

const { leaseDurationMs } = quick;

/** Waits for the lock, and is called off when the test ends. */
function waitFor(cluster: Cluster, name: string, options?: LockOptions): Promise<void> {
  return cluster
    .lock(name, options)
    .withLock(() => undefined)
    .catch(() => undefined);
}

describe('SELF_DEADLOCK', () => {
  it('comes after a lease duration to withLock() inside withLock() of the same name', async () => {
    await using cluster = await Cluster.start();
    cluster
      .lock('job')
      .withLock(() => waitFor(cluster, 'job'))
      .catch(() => undefined);
    await cluster.advance(leaseDurationMs - 1);
    expect(cluster.warned).toEqual([]);
    await cluster.advance(1);
    expect(cluster.warned).toEqual(['SELF_DEADLOCK']);
    const words = `lock default/job: this acquisition has waited for 4000 ms inside withLock(), which holds the lock`;
    expect(cluster.warnings[0]?.message).toContain(words);
    await cluster.advance(60_000);
    expect(cluster.warned).toEqual(['SELF_DEADLOCK']);
  });

  it('comes through other locks, timers and another client', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'another client' });
    const outer = cluster.lock('outer').withLock(() =>
      cluster.lock('inner').withLock(async () => {
        await cluster.api.sleep(500);
        await waitFor(cluster, 'outer', { client });
      }),
    );
    outer.catch(() => undefined);
    await cluster.advance(499 + leaseDurationMs);
    expect(cluster.warned).toEqual([]);
    await cluster.advance(1);
    expect(cluster.warned).toEqual(['SELF_DEADLOCK']);
  });

  it('comes to an acquisition inside a leading callback of the same name', async () => {
    await using cluster = await Cluster.start();
    await leader(cluster, 'a', { onStartedLeading: () => waitFor(cluster, 'crown') });
    await cluster.advance(leaseDurationMs);
    expect(cluster.warned).toEqual(['SELF_DEADLOCK']);
    expect(cluster.warnings[0]?.message).toContain('inside the leading callback, which holds');
  });

  it('comes to an election that is run inside withLock() of the same name', async () => {
    await using cluster = await Cluster.start();
    const a = candidate(cluster, 'a');
    cluster
      .lock('crown')
      .withLock(() => a.run())
      .catch(() => undefined);
    await cluster.advance(leaseDurationMs);
    expect(cluster.warned).toEqual(['SELF_DEADLOCK']);
    await end(cluster, a);
  });

  it('does not come when another acquisition of the process holds the lock', async () => {
    await using cluster = await Cluster.start();
    const [first, other] = [cluster.lock('job'), cluster.lock('other')];
    const holding = first.withLock(() => cluster.api.sleep(30_000));
    await cluster.advance(0);
    const waiting = other.withLock(() => waitFor(cluster, 'job'));
    await cluster.settled(Promise.all([holding, waiting]));
    expect(cluster.now).toBe(30_000);
    expect(cluster.warned).toEqual([]);
  });

  it('does not come where the lock is passed on in time, to what was started without being awaited', async () => {
    await using cluster = await Cluster.start();
    let later: Promise<void> | undefined;
    await cluster.settled(
      cluster.lock('job').withLock(async () => {
        later = waitFor(cluster, 'job');
        await cluster.api.sleep(leaseDurationMs - 500);
      }),
    );
    await cluster.settled(later ?? Promise.reject(new Error('not begun')));
    await cluster.advance(leaseDurationMs);
    expect(cluster.warned).toEqual([]);
  });

  it('does not come once the lock around it is lost', async () => {
    await using cluster = await Cluster.start();
    const run = cluster.lock('job').withLock(() => waitFor(cluster, 'job'));
    run.catch(() => undefined);
    await cluster.advance(1_000);
    cluster.overtake('job', 'stranger');
    await cluster.advance(30_000);
    expect(cluster.warned).toEqual([]);
  });
});
