// A process that is further away, or that may not watch, gets its turn beside one that takes the lock again and again.
import { describe, expect, it } from '@jest/globals';
import { Lock } from '@metaparticle/sync';
import { Cluster } from '../../support/cluster.js';

/** Long enough for a first turn. The simulation goes on for minutes, at several distances. */
const LASTS_MS = 4_500;
const HOLD_MS = 50;
const WAITING = 'sync.metaparticle.io/waiting-';

/** As another process of this user has it. */
function lockOf(cluster: Cluster, user: string): Lock {
  const kubeConfig = cluster.api.kubeConfigFor({ user });
  return new Lock('job', { client: cluster.client({ identity: user, kubeConfig }) });
}

/** Names of the announcements that stand on the lease. */
function announcements({ api }: Cluster): string[] {
  const annotations = api.leases.get('default', 'job')?.metadata.annotations ?? {};
  return Object.keys(annotations).filter((name) => name.startsWith(WAITING));
}

/** Takes the lock again and again. @returns each wait, the last one as far as it went */
async function loop(cluster: Cluster, user: string): Promise<number[]> {
  const lock = lockOf(cluster, user);
  const waits: number[] = [];
  const end = new AbortController();
  void cluster.api.sleep(LASTS_MS).then(() => end.abort());
  while (!end.signal.aborted) {
    const since = cluster.now;
    const handle = await lock.acquire({ signal: end.signal }).catch(() => null);
    waits.push(cluster.now - since);
    if (handle === null) break;
    await cluster.api.sleep(HOLD_MS);
    await handle.release();
  }
  return waits;
}

/** Everything takes a while for this user. */
function moveAway({ api }: Cluster, user: string, lagMs: number): void {
  api.faults.delay({ match: { user }, requestMs: lagMs, responseMs: lagMs });
}

/** @returns what each of the two waited for its turns */
async function compete(cluster: Cluster): Promise<{ near: number[]; far: number[] }> {
  moveAway(cluster, 'near', 1);
  const both = Promise.all([loop(cluster, 'near'), loop(cluster, 'far')]);
  const [near, far] = await cluster.settled(both, { limitMs: 2 * LASTS_MS });
  return { near, far };
}

describe('beside a process that loops over a lock', () => {
  it('one that is 30 ms further away gets its turn', async () => {
    await using cluster = await Cluster.start();
    moveAway(cluster, 'far', 31);
    const { near, far } = await compete(cluster);
    expect(Math.max(...far)).toBeLessThan(3_000);
    expect(far.length).toBeGreaterThan(1);
    // The other one stands back no longer than it is asked to.
    expect(Math.max(...near)).toBeLessThan(1_000);
    expect(cluster.warned).toEqual([]);
  });

  it('one that may not watch gets its turn', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ user: 'far', verb: 'watch' });
    const { far } = await compete(cluster);
    expect(far.length).toBeGreaterThan(1);
    expect(cluster.warned).toEqual(['WATCH_FORBIDDEN']);
  });

  it('one that may not patch announces itself by compare-and-swap, without a warning', async () => {
    await using cluster = await Cluster.start();
    moveAway(cluster, 'far', 3);
    cluster.api.faults.forbid({ user: 'far', verb: 'patch' });
    const { far } = await compete(cluster);
    expect(far.length).toBeGreaterThan(1);
    expect(cluster.warned).toEqual([]);
  });
});

describe('a candidate at rest behind one holder', () => {
  it('asks for nothing from the first renewal that it sees, and announces nothing', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.settled(lockOf(cluster, 'holds').acquire());
    const wait = new AbortController();
    const waiting = lockOf(cluster, 'waits').acquire({ signal: wait.signal });
    waiting.catch(() => undefined);
    await cluster.advance(2_100);
    cluster.api.requests.reset();
    await cluster.advance(60_000);
    expect(cluster.api.requests.count({ user: 'waits' })).toBe(0);
    expect(cluster.api.requests.counts).toMatchObject({ update: 30, patch: 0 });
    expect(announcements(cluster)).toEqual([]);
    wait.abort();
    await cluster.settled(handle.release());
  });
});

describe('a waiter that the lease has passed by', () => {
  /** `a` had the lock and gave it to `b`, which keeps it; the third has announced itself. */
  async function passedBy(cluster: Cluster) {
    const [first, second, third] = ['a', 'b', 'c'].map((user) => lockOf(cluster, user)) as [
      ...[Lock, Lock, Lock],
    ];
    const before = await cluster.settled(first.acquire());
    const next = second.acquire();
    await cluster.advance(10);
    const wait = new AbortController();
    const waiting = third.acquire({ signal: wait.signal });
    waiting.catch(() => undefined);
    await cluster.advance(10);
    await cluster.settled(before.release());
    const holder = await cluster.settled(next);
    await cluster.until('the announcement', () => cluster.api.requests.counts.patch === 1);
    return { holder, wait, waiting };
  }

  it('announces itself once, and takes that back when it gives up', async () => {
    await using cluster = await Cluster.start();
    const { wait } = await passedBy(cluster);
    await cluster.advance(60_000);
    expect(cluster.api.requests.counts.patch).toBe(1);
    wait.abort();
    await cluster.advance(10);
    expect(announcements(cluster)).toEqual([]);
    expect(cluster.api.requests.counts.patch).toBe(2);
    expect(cluster.warned).toEqual([]);
  });

  it('takes it back also when it gives up before the answer has come, and changes nothing else', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.delay({ match: { verb: 'patch' }, requestMs: 20, responseMs: 20, times: 1 });
    const { wait } = await passedBy(cluster);
    wait.abort();
    await cluster.advance(6_000);
    expect(announcements(cluster)).toEqual([]);
    expect(cluster.warned).toEqual([]);
    const { metadata } = cluster.api.leases.get('default', 'job') ?? {};
    expect(Object.keys(metadata?.annotations ?? {})).not.toContain('sync.metaparticle.io/bump');
  });

  it('gets the lock before one that tries it, and takes its announcement along', async () => {
    await using cluster = await Cluster.start();
    const { holder, waiting } = await passedBy(cluster);
    moveAway(cluster, 'c', 10);
    await cluster.settled(holder.release());
    const tried = lockOf(cluster, 'd').tryAcquire();
    expect(await cluster.settled(tried)).toBeNull();
    const handle = await cluster.settled(waiting);
    expect(announcements(cluster)).toEqual([]);
    await cluster.settled(handle.release());
  });

  it('costs half a second when it is gone', async () => {
    await using cluster = await Cluster.start();
    const { holder } = await passedBy(cluster);
    // As after a crash: its process does nothing any more.
    cluster.api.faults.dropBefore({ match: { user: 'c' } });
    await cluster.settled(holder.release());
    const next = lockOf(cluster, 'd').acquire();
    expect(await cluster.elapsed(next)).toBeLessThanOrEqual(500);
    expect(announcements(cluster)).toEqual([]);
  });

  it('does not put off that a holder is known to be long dead', async () => {
    await using cluster = await Cluster.start();
    const { wait } = await passedBy(cluster);
    const renewed = cluster.now;
    cluster.api.faults.dropBefore({ match: { user: 'b' } });
    await cluster.advance(10_000);
    wait.abort();
    await cluster.advance(10);
    expect(announcements(cluster)).toEqual([]);
    await cluster.advance(38_000 - (cluster.now - renewed));
    const handle = await cluster.settled(lockOf(cluster, 'd').tryAcquire());
    expect(handle?.isHeld()).toBe(true);
  });
});
