// One leader at a time: how it is found, how long it stays, and how `run()` ends.
import { describe, expect, it } from '@jest/globals';
import { ClosedError, Election, InvalidOptionError, LeaseClient } from '@metaparticle/sync';
import { candidate, end, follower, leader, leads } from '../../support/candidate.js';
import { Cluster, quick, quickHeldMs } from '../../support/cluster.js';
import { expectError, isPending, rejection } from '../../support/promises.js';

describe('a leader', () => {
  it('is the first candidate to come; the next one leads once the first is asked to stop', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const b = await follower(cluster, 'b');
    await cluster.advance(60_000);
    expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
    expect([a.election.leader, b.election.leader]).toEqual(['a', 'a']);
    expect([a.election.fencingToken, b.election.fencingToken]).toEqual([
      a.terms[0]?.fencingToken,
      null,
    ]);
    await end(cluster, a);
    await leads(cluster, b);
    expect(b.terms[0]!.fencingToken).toBeGreaterThan(a.terms[0]!.fencingToken);
    expect(b.leaders).toEqual(['a', null, 'b']);
    await end(cluster, b);
    expect(cluster.holder('crown')).toBe('');
    expect([a.stopped, b.stopped]).toEqual([['aborted'], ['aborted']]);
    expect([a.terms.length, b.terms.length]).toEqual([1, 1]);
  });

  it('is followed without a pause: the waiting candidate leads in the moment of the release', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const b = await follower(cluster, 'b');
    const releasedAt = cluster.now;
    await end(cluster, a);
    await leads(cluster, b);
    expect(cluster.now - releasedAt).toBe(0);
  });

  it('that cannot renew leads no more before its lease runs out; only then does another candidate lead', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const b = await follower(cluster, 'b');
    await cluster.advance(10_000);
    const renewedAt = cluster.now;
    cluster.api.faults.hang({ match: { verb: 'update' } });
    await cluster.until('the loss', () => !a.election.isLeader());
    expect(cluster.now).toBe(renewedAt + quickHeldMs);
    expect(a.stopped).toEqual(['lost']);
    cluster.api.faults.clear();
    a.stop.abort();
    await cluster.advance(quick.leaseDurationMs - quickHeldMs - 1);
    expect(b.election.isLeader()).toBe(false);
    await leads(cluster, b);
    // It holds off by up to 25 ms, so that not all candidates write at once.
    expect(cluster.now - renewedAt - quick.leaseDurationMs).toBeGreaterThanOrEqual(0);
    expect(cluster.now - renewedAt - quick.leaseDurationMs).toBeLessThanOrEqual(25);
  });

  it('goes on leading when the leading callback returns, and renews each second', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a', { onStartedLeading: () => undefined });
    cluster.api.requests.reset();
    await cluster.advance(60_000);
    expect(a.election.isLeader()).toBe(true);
    expect(a.stopped).toEqual([]);
    expect(cluster.api.requests.counts).toMatchObject({ get: 0, update: 60 });
  });

  it('is unknown to an election that does not run', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown');
    const { election } = candidate(cluster, 'idle');
    await cluster.advance(1_000);
    const { leader: known, fencingToken } = election;
    expect([election.isLeader(), known, fencingToken]).toEqual([false, null, null]);
    expect(cluster.api.requests.total).toBe(0);
  });
});

describe('run()', () => {
  it('resolves once the lease is released, not before', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    cluster.api.faults.delay({ match: { verb: 'update' }, requestMs: 300 });
    a.stop.abort();
    await cluster.advance(299);
    expect(a.stopped).toEqual(['aborted']);
    expect([await isPending(a.running), cluster.holder('crown')]).toEqual([true, 'a']);
    await cluster.advance(1);
    expect([await isPending(a.running), cluster.holder('crown')]).toEqual([false, '']);
  });

  it('resolves while it waits, and has never led', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown', { leaseDurationSeconds: 3_600 });
    const a = await follower(cluster, 'a');
    const before = cluster.spec('crown');
    a.stop.abort();
    await a.running;
    expect([a.terms, a.stopped]).toEqual([[], []]);
    expect(cluster.spec('crown')).toEqual(before);
  });

  it('resolves, when it is stopped in the moment of a claim, once what landed is let go', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    cluster.api.faults.delay({ match: { verb: 'update' }, responseMs: 300 });
    const a = candidate(cluster, 'a');
    void a.run();
    await cluster.until('a claim that landed', () => cluster.holder('crown') === 'a');
    a.stop.abort();
    await cluster.settled(a.running);
    expect([a.terms, a.stopped]).toEqual([[], []]);
    expect(cluster.holder('crown')).toBe('');
  });

  it('resolves with a signal that was aborted before, whatever the configuration', async () => {
    const kubeConfig = {
      getCurrentCluster: () => null,
      getCurrentContext: () => '',
      getContextObject: () => null,
      applyToHTTPSOptions: () => Promise.resolve(),
    };
    await using client = new LeaseClient({ kubeConfig });
    const election = new Election('crown', { client, onStartedLeading: () => undefined });
    await election.run({ signal: AbortSignal.abort() });
    const observed = await election.observe({ signal: AbortSignal.abort() }).next();
    expect(observed).toEqual({ done: true, value: undefined });
  });

  it('can be called again after it has ended', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await end(cluster, a);
    const again = new AbortController();
    const second = a.election.run({ signal: again.signal });
    await leads(cluster, a);
    again.abort();
    await second;
    expect(a.stopped).toEqual(['aborted', 'aborted']);
    expect(a.terms[1]!.fencingToken).toBeGreaterThan(a.terms[0]!.fencingToken);
  });

  it('rejects a second call beside the first one', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const error = await rejection(a.election.run());
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', 'run', 'runs already');
    expect(a.election.isLeader()).toBe(true);
    await end(cluster, a);
    expect(a.terms).toHaveLength(1);
  });

  it('rejects when the client is closed: the term ends, and the lease is let go', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'a' });
    const a = await leader(cluster, 'a', { client });
    await cluster.settled(client.close());
    expectError(await rejection(a.running), ClosedError, 'ERR_CLOSED');
    expect(a.stopped).toEqual(['aborted']);
    const { signal, lostSignal } = a.terms[0]!;
    expect([signal.aborted, lostSignal.aborted]).toEqual([true, true]);
    expect(cluster.holder('crown')).toBe('');
  });
});
