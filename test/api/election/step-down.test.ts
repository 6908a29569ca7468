// `stepDown()`: the end of a term by wish, and the time that the candidate then stays out.
import { describe, expect, it } from '@jest/globals';
import { Election } from '@metaparticle/sync';
import { EventEmitter, once } from 'node:events';
import { candidate, end, follower, leader, leads, openWork } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { Cluster, quick } from '../../support/cluster.js';
import { aborted, isPending } from '../../support/promises.js';
import { watchedProcess } from '../../support/watched-process.js';

describe('stepDown()', () => {
  it('makes way for another candidate', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const b = await follower(cluster, 'b');
    await cluster.settled(a.election.stepDown({ cooldownMs: 500 }));
    expect(a.stopped).toEqual(['stepped-down']);
    await leads(cluster, b);
    await cluster.settled(b.election.stepDown({ cooldownMs: 60_000 }));
    await leads(cluster, a);
    expect(a.terms).toHaveLength(2);
    await end(cluster, a, b);
    expect([a.stopped, b.stopped]).toEqual([['stepped-down', 'aborted'], ['stepped-down']]);
  });

  it('resolves once the lease is released, not before', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    cluster.api.faults.delay({ match: { verb: 'update' }, requestMs: 300 });
    const stepping = a.election.stepDown();
    await cluster.advance(299);
    expect([await isPending(stepping), cluster.holder('crown')]).toEqual([true, 'a']);
    await cluster.advance(1);
    expect([await isPending(stepping), cluster.holder('crown')]).toEqual([false, '']);
  });

  it('within the leading callback does not wait for the work, of which it is a part', async () => {
    await using cluster = await Cluster.start();
    const askedAt: number[] = [];
    const a = candidate(cluster, 'a', {
      drainTimeoutMs: 20_000,
      onStartedLeading: async () => {
        await a.election.stepDown({ cooldownMs: 60_000 });
        askedAt.push(cluster.now);
      },
    });
    void a.run();
    await cluster.advance(0);
    expect(askedAt).toEqual([0]);
    expect(a.stopped).toEqual(['stepped-down']);
    expect(cluster.holder('crown')).toBe('');
    await end(cluster, a);
  });

  it('through a queue whose worker knows nothing of the callback does not wait for it either', async () => {
    await using cluster = await Cluster.start();
    const [commands, answers] = [new EventEmitter(), new EventEmitter()];
    const work = async (): Promise<void> => {
      await once(commands, 'step down');
      await a.election.stepDown({ cooldownMs: 60_000 });
      answers.emit('stepped down');
    };
    const a: Candidate = candidate(cluster, 'a', {
      drainTimeoutMs: 20_000,
      onStartedLeading: async () => {
        const answer = once(answers, 'stepped down');
        commands.emit('step down');
        await answer;
      },
    });
    // Begun before there is a term: what it does is not done within the leading callback.
    const worker = work();
    void a.run();
    await cluster.advance(0);
    await worker;
    expect(a.stopped).toEqual(['stepped-down']);
    expect([cluster.now, cluster.holder('crown')]).toEqual([0, '']);
    await end(cluster, a);
  });

  it('of another election, run by the callback of the first, does not wait for that one', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'a' });
    const a = candidate(cluster, 'a', {
      client,
      onStartedLeading: async () => {
        const inner = new Election('inner', {
          client,
          ...quick,
          onStartedLeading: () => a.election.stepDown({ cooldownMs: 60_000 }),
        });
        await inner.run({ signal: AbortSignal.any([a.terms[0]!.signal]) });
      },
    });
    void a.run();
    await cluster.advance(0);
    expect(a.stopped).toEqual(['stepped-down']);
    expect([cluster.now, cluster.holder('crown')]).toEqual([0, '']);
    await end(cluster, a);
  });

  it('resolves while the work winds down, and the lease is kept until it has', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    await a.election.stepDown();
    expect([a.terms[0]?.signal.aborted, a.election.isLeader(), a.stopped]).toEqual([
      true,
      true,
      [],
    ]);
    work.finish();
    await cluster.advance(0);
    expect([a.stopped, cluster.holder('crown')]).toEqual([['stepped-down'], '']);
    await end(cluster, a);
  });

  it('in the moment of a claim resolves once what landed is let go', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: { verb: 'update' }, responseMs: 500, times: 1 });
    const a = candidate(cluster, 'a');
    void a.run();
    await cluster.until('a claim that landed', () => cluster.holder('crown') === 'a');
    await cluster.settled(a.election.stepDown({ cooldownMs: 60_000 }));
    expect(cluster.holder('crown')).toBe('');
    await end(cluster, a);
    expect(a.terms).toEqual([]);
  });

  it('does nothing unless the election runs', async () => {
    await using cluster = await Cluster.start();
    const a = candidate(cluster, 'a');
    await a.election.stepDown({ cooldownMs: 60_000 });
    void a.run();
    await cluster.advance(0);
    expect(a.election.isLeader()).toBe(true);
    await end(cluster, a);
  });
});

describe('the time to stay out', () => {
  /** When the candidate led again, from its release on. */
  async function staysOut(options: { readonly cooldownMs?: number }): Promise<number> {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await cluster.settled(a.election.stepDown(options));
    const releasedAt = cluster.now;
    await leads(cluster, a, 120_000);
    return cluster.now - releasedAt;
  }

  it('is what is asked for, and the lease duration where nothing is', async () => {
    expect(await staysOut({ cooldownMs: 800 })).toBe(800);
    expect(await staysOut({ cooldownMs: 60_000 })).toBe(60_000);
    expect(await staysOut({})).toBe(quick.leaseDurationMs);
  });

  it('counts from the release, whatever time the drain took', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', {
      onStartedLeading: async ({ signal }) => {
        await aborted(signal);
        await cluster.api.sleep(1_000);
      },
    });
    await a.election.stepDown({ cooldownMs: 800 });
    await cluster.until('the end of the term', () => a.stopped.length === 1);
    expect(cluster.now).toBe(1_000);
    await cluster.until('a leads again', () => a.terms.length === 2);
    expect(cluster.now).toBe(1_800);
    await end(cluster, a);
  });

  it('is the longer one of two that are asked for', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await cluster.settled(a.election.stepDown({ cooldownMs: 300 }));
    await cluster.advance(100);
    await cluster.settled(a.election.stepDown({ cooldownMs: 60_000 }));
    await cluster.settled(a.election.stepDown({ cooldownMs: 300 }));
    await cluster.until('a leads again', () => a.terms.length === 2, 120_000);
    expect(cluster.now).toBe(60_100);
    await end(cluster, a);
  });

  it('is kept by a candidate that waits, too', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const b = await follower(cluster, 'b');
    await cluster.settled(b.election.stepDown({ cooldownMs: 5_000 }));
    await end(cluster, a);
    await leads(cluster, b, 10_000);
    expect(cluster.now).toBe(5_000);
    expect(b.stopped).toEqual([]);
    await end(cluster, b);
  });

  it('leaves no timer behind once the run is over', async () => {
    await using cluster = await Cluster.start();
    const { client, timers } = watchedProcess(cluster, 'a');
    const a = await leader(cluster, 'a', { client });
    await cluster.settled(a.election.stepDown({ cooldownMs: 61_000 }));
    await cluster.advance(0);
    expect(timers()).toContain(61_000);
    await end(cluster, a);
    expect(timers()).not.toContain(61_000);
  });

  it('does not begin before work that goes on', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    await a.election.stepDown({ cooldownMs: 0 });
    await cluster.advance(10_000);
    expect(a.stopped).toEqual([]);
    expect(a.terms).toHaveLength(1);
    work.finish();
    await cluster.until('a leads again', () => a.terms.length === 2);
    await end(cluster, a);
  });
});
