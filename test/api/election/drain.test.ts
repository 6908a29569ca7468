// What lies between the wish to end a term and its end: the work winds down, while the lease is renewed.
import { describe, expect, it } from '@jest/globals';
import type { Leading } from '@metaparticle/sync';
import { candidate, end, follower, leader, leads, openWork } from '../../support/candidate.js';
import { Cluster, quick, quickHeldMs } from '../../support/cluster.js';
import { aborted, isPending } from '../../support/promises.js';

describe('a leader that is asked to stop', () => {
  it('leads on and renews while its work winds down, and lets go only then', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    a.stop.abort();
    expect(a.terms[0]?.signal.aborted).toBe(true);
    // Longer than belief lasts without a renewal.
    await cluster.advance(10_000);
    expect(a.election.isLeader()).toBe(true);
    expect(a.election.fencingToken).toBe(a.terms[0]?.fencingToken);
    expect(a.terms[0]?.lostSignal.aborted).toBe(false);
    expect(cluster.holder('crown')).toBe('a');
    expect(a.stopped).toEqual([]);
    expect(await isPending(a.running)).toBe(true);
    work.finish();
    await cluster.settled(a.running);
    expect(cluster.now).toBe(10_000);
    expect(a.terms[0]?.lostSignal.aborted).toBe(true);
    expect(a.stopped).toEqual(['aborted']);
    expect(cluster.holder('crown')).toBe('');
  });

  it('keeps other candidates waiting until its work has ended', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    const b = await follower(cluster, 'b');
    await a.election.stepDown({ cooldownMs: 60_000 });
    await cluster.advance(20_000);
    expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
    work.finish();
    await leads(cluster, b);
    expect(cluster.now).toBe(20_000);
    await end(cluster, a, b);
  });

  it('may take the rest of its time as an abort: it is no failure to reject with it', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', {
      onStartedLeading: async ({ signal }) => {
        await aborted(signal);
        throw signal.reason;
      },
    });
    a.stop.abort();
    await cluster.settled(a.running);
    expect(a.stopped).toEqual(['aborted']);
  });

  it('drains also when it is asked to step down from within the callback', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = candidate(cluster, 'a', {
      onStartedLeading: () => {
        if (a.terms.length === 1) void a.election.stepDown({ cooldownMs: 60_000 });
        return work.done;
      },
    });
    void a.run();
    await cluster.advance(10_000);
    expect(a.terms).toHaveLength(1);
    expect(a.election.isLeader()).toBe(true);
    expect(a.stopped).toEqual([]);
    work.finish();
    await cluster.advance(0);
    expect(a.stopped).toEqual(['stepped-down']);
    expect(a.terms[0]?.lostSignal.aborted).toBe(true);
    await end(cluster, a);
  });

  it('drains also when it is asked to stop from within the callback', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = candidate(cluster, 'a', {
      onStartedLeading: () => {
        a.stop.abort();
        return work.done;
      },
    });
    void a.run();
    await cluster.advance(10_000);
    expect(a.terms[0]?.signal.aborted).toBe(true);
    expect([a.election.isLeader(), a.stopped]).toEqual([true, []]);
    work.finish();
    await cluster.settled(a.running);
    expect(a.stopped).toEqual(['aborted']);
    expect(cluster.holder('crown')).toBe('');
  });

  it('keeps to the first reason, and to the time that it began, when it is asked twice', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', {
      drainTimeoutMs: 10_000,
      onStartedLeading: () => new Promise(() => undefined),
    });
    void a.election.stepDown();
    await cluster.advance(6_000);
    a.stop.abort();
    await cluster.advance(3_999);
    expect(a.stopped).toEqual([]);
    await cluster.advance(1);
    expect(a.stopped).toEqual(['stepped-down']);
    await cluster.settled(a.running);
  });

  it('is lost when the lease is deleted meanwhile', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    await a.election.stepDown({ cooldownMs: 0 });
    cluster.api.leases.delete('default', 'crown');
    await cluster.until('the loss', () => a.stopped.length === 1);
    expect(a.stopped).toEqual(['lost']);
    work.finish();
    await end(cluster, a);
  });
});

describe('a drain that takes too long', () => {
  it('ends belief at its time-out, and leaves the lease to run out', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', {
      drainTimeoutMs: 6_500,
      onStartedLeading: () => new Promise(() => undefined),
    });
    const b = await follower(cluster, 'b');
    a.stop.abort();
    await cluster.advance(6_499);
    expect(a.election.isLeader()).toBe(true);
    expect(await isPending(a.running)).toBe(true);
    await cluster.advance(1);
    expect(a.election.isLeader()).toBe(false);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ name: 'TimeoutError' });
    expect(a.stopped).toEqual(['aborted']);
    await a.running;
    // The work goes on, so it is owed the rest of the lease: last renewed at 6 s.
    expect(cluster.holder('crown')).toBe('a');
    await cluster.advance(6_000 + quick.leaseDurationMs - cluster.now - 1);
    expect(b.election.isLeader()).toBe(false);
    await leads(cluster, b);
    await end(cluster, b);
  });

  it('has 25 s unless another number is given', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', { onStartedLeading: () => new Promise(() => undefined) });
    a.stop.abort();
    expect(await cluster.elapsed(a.running)).toBe(25_000);
  });

  it('does not end while it may take Infinity', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', {
      drainTimeoutMs: Infinity,
      onStartedLeading: () => work.done,
    });
    a.stop.abort();
    await cluster.advance(600_000);
    expect(a.election.isLeader()).toBe(true);
    work.finish();
    await cluster.settled(a.running);
  });
});

describe('a new term', () => {
  it('does not start beside the work of the last one, which was lost', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    cluster.api.leases.delete('default', 'crown');
    await cluster.advance(20_000);
    expect([a.terms.length, a.stopped]).toEqual([1, ['lost']]);
    work.finish();
    await cluster.until('another term', () => a.terms.length === 2);
    expect(cluster.now).toBe(20_000);
    await end(cluster, a);
  });

  it('does not start beside the work of an earlier run, which has not ended', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', {
      drainTimeoutMs: 50,
      onStartedLeading: () => work.done,
    });
    a.stop.abort();
    await cluster.settled(a.running);
    const again = new AbortController();
    const second = a.election.run({ signal: again.signal });
    // No other process holds it: nothing else keeps the candidate from leading.
    cluster.api.leases.delete('default', 'crown');
    await cluster.advance(20_000);
    expect(a.terms).toHaveLength(1);
    work.finish();
    await cluster.until('another term', () => a.terms.length === 2);
    again.abort();
    await cluster.settled(second);
  });
});

describe('work that ignores the request to wind down, and rejects with the reason of lostSignal', () => {
  /** As fetch() would with that signal, in the first term; the next one is uneventful. */
  function untilLost(): (leading: Leading) => Promise<void> {
    let terms = 0;
    return async ({ lostSignal }) => {
      terms += 1;
      if (terms > 1) return;
      await aborted(lostSignal);
      throw lostSignal.reason;
    };
  }

  it('is no failure when the drain took too long', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', {
      drainTimeoutMs: 200,
      onStartedLeading: untilLost(),
    });
    await a.election.stepDown({ cooldownMs: 0 });
    await cluster.until('the end of the term', () => a.stopped.length === 1);
    expect(cluster.now).toBe(200);
    await cluster.advance(quickHeldMs);
    expect(await isPending(a.running)).toBe(true);
    await end(cluster, a);
    expect(a.stopped[0]).toBe('stepped-down');
  });

  it('is no failure when the term was lost while it drained', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', { onStartedLeading: untilLost() });
    await a.election.stepDown({ cooldownMs: 0 });
    cluster.api.leases.delete('default', 'crown');
    await cluster.advance(quickHeldMs);
    expect(await isPending(a.running)).toBe(true);
    await end(cluster, a);
    expect(a.stopped).toEqual(['lost', 'aborted']);
  });
});
