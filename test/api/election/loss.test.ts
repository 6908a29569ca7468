// A term that ends against the will of its leader: how it learns of that, when, and what comes next.
import { describe, expect, it } from '@jest/globals';
import { LockLostError } from '@metaparticle/sync';
import { end, leader, openWork } from '../../support/candidate.js';
import { Cluster, quickHeldMs } from '../../support/cluster.js';
import { aborted } from '../../support/promises.js';
import { watchedProcess } from '../../support/watched-process.js';

describe('a lost term', () => {
  it('is in both signals and in onStoppedLeading, once; the next one has a greater token', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    cluster.api.leases.delete('default', 'crown');
    await cluster.until('another term', () => a.terms.length === 2);
    const [first, second] = a.terms;
    expect(first?.signal.reason).toBeInstanceOf(LockLostError);
    expect(first?.signal.reason).toBe(first?.lostSignal.reason);
    expect(first?.lostSignal.reason).toMatchObject({ reason: 'deleted', lock: 'default/crown' });
    expect([second?.signal.aborted, second?.lostSignal.aborted]).toEqual([false, false]);
    expect(second!.fencingToken).toBeGreaterThan(first!.fencingToken);
    expect(a.stopped).toEqual(['lost']);
    await end(cluster, a);
    expect(a.stopped).toEqual(['lost', 'aborted']);
  });

  it.each([
    ['deleted', (cluster: Cluster) => cluster.api.leases.delete('default', 'crown')],
    ['taken-over', (cluster: Cluster) => cluster.overtake('crown', 'stranger')],
  ] as const)('says why: %s, as soon as the watch tells', async (reason, take) => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await cluster.advance(400);
    take(cluster);
    await cluster.advance(0);
    expect(a.stopped).toEqual(['lost']);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason });
    await end(cluster, a);
  });

  it('says why: expired, when no request is answered, at the end of belief', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await cluster.advance(2_500);
    const renewedAt = 2_000;
    cluster.api.pause();
    await cluster.until('the loss', () => a.stopped.length === 1);
    expect(cluster.now).toBe(renewedAt + quickHeldMs);
    expect(a.stopped).toEqual(['lost']);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    cluster.api.resume();
    await end(cluster, a);
  });

  it('ends while its work goes on: the work has been asked to end, and has no authority', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    cluster.overtake('crown', 'stranger');
    await cluster.advance(0);
    const { signal, lostSignal } = a.terms[0]!;
    expect([signal.aborted, lostSignal.aborted]).toEqual([true, true]);
    expect([a.election.isLeader(), a.election.fencingToken]).toEqual([false, null]);
    expect(a.stopped).toEqual(['lost']);
    work.finish();
    await end(cluster, a);
  });
});

describe('a leader whose process stood still until its term had run out', () => {
  it('knows so when it is asked, before any timer tells', async () => {
    await using cluster = await Cluster.start();
    const { client, stall } = watchedProcess(cluster, 'a');
    const a = await leader(cluster, 'a', { client });
    stall(quickHeldMs - 1);
    expect(a.election.isLeader()).toBe(true);
    stall(1);
    const { signal, lostSignal } = a.terms[0]!;
    expect(lostSignal.aborted).toBe(false);
    expect(a.election.fencingToken).toBeNull();
    expect([signal.aborted, lostSignal.aborted]).toEqual([true, true]);
    expect([a.election.isLeader(), a.stopped]).toEqual([false, ['lost']]);
    await end(cluster, a);
  });

  it('has lost it, and not stepped down, though its work has wound down meanwhile', async () => {
    await using cluster = await Cluster.start();
    const { client, stall } = watchedProcess(cluster, 'a');
    const a = await leader(cluster, 'a', {
      client,
      onStartedLeading: async ({ signal }) => {
        await aborted(signal);
        stall(quickHeldMs);
      },
    });
    await cluster.settled(a.election.stepDown({ cooldownMs: 60_000 }));
    expect(a.stopped).toEqual(['lost']);
    await end(cluster, a);
  });

  it('has lost it, and not stepped down, though its drain has taken too long', async () => {
    await using cluster = await Cluster.start();
    const { client, stall } = watchedProcess(cluster, 'a');
    const a = await leader(cluster, 'a', {
      ...{ client, drainTimeoutMs: 200 },
      onStartedLeading: () => new Promise(() => undefined),
    });
    a.stop.abort();
    await cluster.advance(199);
    stall(quickHeldMs);
    await cluster.advance(1);
    expect(a.stopped).toEqual(['lost']);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    await a.running;
  });
});
