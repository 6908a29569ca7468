// `observe()`: who leads, seen by a process that does not take part.
import { describe, expect, it } from '@jest/globals';
import { ClosedError, ForbiddenError, type Election, type Leader } from '@metaparticle/sync';
import { candidate, end, leader } from '../../support/candidate.js';
import { Cluster } from '../../support/cluster.js';
import { expectError, isPending, rejection } from '../../support/promises.js';

/** What an observer sees from now on, and how it ends. */
function observing(election: Election) {
  const seen: (Leader | null)[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const one of election.observe({ signal: stop.signal })) seen.push(one);
  })();
  ended.catch(() => undefined);
  return { seen, stop, ended };
}

const identities = (seen: readonly (Leader | null)[]): (string | null)[] =>
  seen.map((one) => one?.identity ?? null);

describe('an observer', () => {
  it('sees who leads now, then each change, and ends quietly', async () => {
    await using cluster = await Cluster.start();
    const { seen, stop, ended } = observing(candidate(cluster, 'observer').election);
    await cluster.advance(1_000);
    expect(seen).toEqual([null]);
    const a = await leader(cluster, 'a');
    await cluster.advance(10_000);
    const [{ fencingToken }] = a.terms as [(typeof a.terms)[0]];
    const since = new Date(cluster.date.getTime() - 10_000);
    expect(seen).toEqual([null, { identity: 'a', fencingToken, since }]);
    await end(cluster, a);
    expect(seen.slice(2)).toEqual([null]);
    cluster.overtake('crown', 'stranger');
    await cluster.advance(0);
    // The term of another elector has no token. Since when it lasts is what its record says.
    const acquiredAt = new Date(cluster.spec('crown').acquireTime ?? '');
    expect(seen.slice(3)).toEqual([
      { identity: 'stranger', fencingToken: null, since: acquiredAt },
    ]);
    stop.abort();
    await ended;
  });

  it('sees a leader that another one is about to follow until it does', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown');
    const { seen } = observing(candidate(cluster, 'observer').election);
    await cluster.advance(60_000);
    expect(identities(seen)).toEqual(['stranger']);
    cluster.overtake('crown', 'b');
    await cluster.advance(0);
    expect(identities(seen)).toEqual(['stranger', 'b']);
  });

  it('sees a new term of the same leader', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    const { seen } = observing(candidate(cluster, 'observer').election);
    await cluster.advance(0);
    cluster.api.leases.delete('default', 'crown');
    await cluster.until('another term', () => a.terms.length === 2);
    await cluster.advance(0);
    expect(identities(seen)).toEqual(['a', null, 'a']);
    expect(seen.map((one) => one?.fencingToken ?? null)).toEqual([
      ...[a.terms[0]?.fencingToken, null, a.terms[1]?.fencingToken],
    ]);
    await end(cluster, a);
  });

  it('sees a new term of the same leader also when it missed what was between', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown');
    const { seen } = observing(candidate(cluster, 'observer').election);
    await cluster.advance(1_000);
    const edit = (times: { acquireTime?: string; renewTime: string }): void =>
      void cluster.api.leases.edit('default', 'crown', ({ spec }) => Object.assign(spec, times));
    // A renewal is no news of who leads.
    edit({ renewTime: '2030-01-01T00:00:01.000000Z' });
    await cluster.advance(1_000);
    edit({ acquireTime: '2030-01-01T00:00:02.000000Z', renewTime: '2030-01-01T00:00:02.000000Z' });
    await cluster.advance(1_000);
    expect(seen.map((one) => [one?.identity, one?.since?.toISOString()])).toEqual([
      ['stranger', '2030-01-01T00:00:00.000Z'],
      ['stranger', '2030-01-01T00:00:02.000Z'],
    ]);
  });

  it('that fetches seldom gets the newest, and none that is past', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown');
    const leaders = candidate(cluster, 'observer').election.observe();
    await leaders.next();
    for (const identity of ['b', 'c', 'd']) {
      cluster.overtake('crown', identity);
      await cluster.advance(100);
    }
    expect(await leaders.next()).toMatchObject({ value: { identity: 'd' } });
    const next = leaders.next();
    await cluster.advance(10_000);
    expect(await isPending(next)).toBe(true);
    await leaders.return();
  });

  it('that is left while it waits ends at once', async () => {
    await using cluster = await Cluster.start();
    const leaders = candidate(cluster, 'observer').election.observe();
    expect(await leaders.next()).toEqual({ done: false, value: null });
    const next = leaders.next();
    expect(await leaders.return()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('writes nothing', async () => {
    await using cluster = await Cluster.start();
    observing(candidate(cluster, 'observer').election);
    await cluster.advance(60_000);
    const { create, update, patch, delete: deletes } = cluster.api.requests.counts;
    expect([create, update, patch, deletes]).toEqual([0, 0, 0, 0]);
  });

  it('is refused what it may not read', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ verb: 'get' });
    const error = await rejection(candidate(cluster, 'observer').election.observe().next());
    expectError(error, ForbiddenError, 'ERR_FORBIDDEN', 'get leases');
  });

  it('ends with an error when the client is closed', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'observer' });
    const { ended } = observing(candidate(cluster, 'observer', { client }).election);
    await cluster.advance(0);
    await cluster.settled(client.close());
    expectError(await rejection(ended), ClosedError, 'ERR_CLOSED');
  });
});
