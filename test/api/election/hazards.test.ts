// What goes wrong with other electors (H1 and on: numbered as in the study of client-go), tried on ours.
// H6 and H7, numbers that do not fit, are in options.test.ts; H9, a reader of whole seconds, is in the
// tests of the protocol: stamps grow by a second.
import { describe, expect, it } from '@jest/globals';
import type { Leading } from '@metaparticle/sync';
import { candidate, end, follower, leader, leads, openWork } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { Cluster, quick, quickHeldMs } from '../../support/cluster.js';
import { isPending } from '../../support/promises.js';
import { watchedProcess } from '../../support/watched-process.js';

/** So that no renewal comes between: what is found out at once came by the watch. */
const slow = { leaseDurationMs: 60_000, renewIntervalMs: 20_000, marginMs: 2_000 } as const;

/** Another elector writes its record over whatever there is. */
function overwrite(cluster: Cluster, holderIdentity: string, leaseDurationSeconds = 3_600): void {
  const time = cluster.date.toISOString().replace('Z', '000Z');
  cluster.api.leases.edit('default', 'crown', ({ spec }) => {
    const leaseTransitions = (spec.leaseTransitions ?? 0) + 1;
    const times = { acquireTime: time, renewTime: time };
    Object.assign(spec, { holderIdentity, leaseDurationSeconds, leaseTransitions, ...times });
  });
}

/** Notes in what order one tick tells of an end; `later` is what only a following tick can bring. */
function recorder() {
  const told: string[] = [];
  const leadership: boolean[] = [];
  let me: Candidate | undefined;
  const note = (what: string): void => {
    if (told.length === 0) void Promise.resolve().then(() => told.push('later'));
    told.push(what);
    leadership.push(me?.election.isLeader() ?? false);
  };
  const listen = ({ signal, lostSignal }: Leading): void => {
    signal.addEventListener('abort', () => note('signal'));
    lostSignal.addEventListener('abort', () => note('lostSignal'));
  };
  const over = (one: Candidate): void => void (me = one);
  return { told, leadership, note, listen, over };
}

describe('H1: a foreign holder that is seen', () => {
  it('ends the term in the same tick', async () => {
    await using cluster = await Cluster.start();
    const { told, leadership, note, listen, over } = recorder();
    const a = candidate(cluster, 'a', {
      ...slow,
      onStartedLeading: listen,
      onStoppedLeading: (reason) => note(`stopped: ${reason}`),
    });
    over(a);
    void a.run();
    await leads(cluster, a);
    overwrite(cluster, 'b');
    await cluster.advance(0);
    expect(told).toEqual(['signal', 'lostSignal', 'stopped: lost', 'later']);
    expect(leadership).toEqual([false, false, false]);
    expect([a.election.isLeader(), a.election.fencingToken]).toEqual([false, null]);
    expect(a.election.leader).toBe('b');
    await end(cluster, a);
    expect(cluster.holder('crown')).toBe('b');
  });
});

describe('H2: a foreign holder that is not seen', () => {
  it.each([
    ['came and went', (cluster: Cluster) => overwrite(cluster, '', 1)],
    ['came and put our name back', (cluster: Cluster) => overwrite(cluster, 'a', 2)],
    ['came and was deleted', ({ api }: Cluster) => api.leases.delete('default', 'crown')],
  ])('as it %s, ends the term once', async (_, leave) => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const a = await leader(cluster, 'a');
    await cluster.advance(5);
    overwrite(cluster, 'b');
    leave(cluster);
    // Found out by the next renewal.
    await cluster.until('the loss', () => a.stopped.length === 1);
    expect(cluster.now).toBe(quick.renewIntervalMs);
    await cluster.until('another term', () => a.terms.length === 2, 12_000);
    const [first, second] = a.terms;
    expect(a.stopped).toEqual(['lost']);
    expect([first?.signal.aborted, first?.lostSignal.aborted]).toEqual([true, true]);
    expect([second?.signal.aborted, second?.lostSignal.aborted]).toEqual([false, false]);
    expect(second!.fencingToken).toBeGreaterThan(first!.fencingToken);
    await end(cluster, a);
    expect(a.stopped).toEqual(['lost', 'aborted']);
  });
});

describe('H3: a release of which nothing is known', () => {
  it('does not keep the end from being told: that comes first, whatever becomes of it', async () => {
    await using cluster = await Cluster.start();
    const { told, leadership, note, listen, over } = recorder();
    const a = candidate(cluster, 'a', {
      ...slow,
      onStartedLeading: listen,
      onStoppedLeading: (reason) => note(`stopped: ${reason}`),
    });
    over(a);
    void a.run();
    await leads(cluster, a);
    cluster.api.faults.hang();
    const stepping = a.election.stepDown({ cooldownMs: 60_000 });
    await cluster.advance(0);
    expect(await isPending(stepping)).toBe(true);
    expect(told.filter((what) => what !== 'later')).toEqual([
      ...['signal', 'lostSignal', 'stopped: stepped-down'],
    ]);
    // The first signal asks to wind down: it leads until then, and not any more at the end.
    expect([leadership.at(0), leadership.at(-1)]).toEqual([true, false]);
    expect(a.election.isLeader()).toBe(false);
    a.stop.abort();
    await cluster.settled(Promise.all([stepping, a.running]));
  });
});

describe('H4: a release', () => {
  it.each(['b', 'a'])('leaves the record of another holder named %j alone', async (identity) => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const a = await leader(cluster, 'a', slow);
    // A record of another moment: the library knows its own by their time, too.
    await cluster.advance(5);
    overwrite(cluster, identity);
    const before = cluster.api.leases.get('default', 'crown');
    cluster.api.requests.reset();
    await end(cluster, a);
    expect(cluster.api.leases.get('default', 'crown')).toEqual(before);
    expect(cluster.api.requests.log.map(({ verb, status }) => `${verb} ${status ?? '-'}`)).toEqual([
      ...['update 409', 'get 200'],
    ]);
    expect(a.stopped).toEqual(['aborted']);
  });
});

describe('H5: slow answers of the server', () => {
  it('do not lengthen belief: it counts from when a renewal is sent', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const a = await leader(cluster, 'a');
    const slowly = cluster.api.faults.delay({ match: { verb: 'update' }, responseMs: 700 });
    await cluster.until('renewals', () => cluster.api.requests.count({ verb: 'update' }) === 4);
    const sentAt = cluster.now;
    await cluster.advance(700);
    slowly.remove();
    cluster.api.faults.hang();
    await cluster.until('the loss', () => a.stopped.length === 1);
    expect(cluster.now).toBe(sentAt + quickHeldMs);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    await end(cluster, a);
  });
});

describe('H8: while the work of a leader winds down', () => {
  it('the lease is renewed, and no other candidate leads', async () => {
    await using cluster = await Cluster.start();
    const work = openWork();
    const a = await leader(cluster, 'a', { onStartedLeading: () => work.done });
    const b = await follower(cluster, 'b');
    const stepping = a.election.stepDown({ cooldownMs: 60_000 });
    const renewedAt = Date.parse(cluster.spec('crown').renewTime ?? '');
    // Longer than a lease lasts that is not renewed.
    await cluster.advance(quick.leaseDurationMs + 500);
    expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
    expect(Date.parse(cluster.spec('crown').renewTime ?? '')).toBe(renewedAt + 4_000);
    expect(a.stopped).toEqual([]);
    work.finish();
    await cluster.settled(stepping);
    expect(a.election.isLeader()).toBe(false);
    await leads(cluster, b);
    await end(cluster, a, b);
  });
});

describe('H10: belief ends on time', () => {
  it('while no request is ever answered', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    cluster.api.pause();
    await cluster.until('the loss', () => a.stopped.length === 1);
    expect(cluster.now).toBe(quickHeldMs);
    expect(a.stopped).toEqual(['lost']);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    cluster.api.resume();
    await end(cluster, a);
  });

  it('while the process stands still, as far as it is asked', async () => {
    await using cluster = await Cluster.start();
    const { client, stall } = watchedProcess(cluster, 'a');
    const a = await leader(cluster, 'a', { client });
    stall(quickHeldMs);
    expect(a.election.isLeader()).toBe(false);
    expect(a.stopped).toEqual(['lost']);
    await end(cluster, a);
  });
});

describe('H11: of two processes with one identity', () => {
  it('one leads, and the other warns', async () => {
    await using cluster = await Cluster.start();
    const one = await leader(cluster, 'pod-1');
    const other = await follower(cluster, 'pod-1');
    await cluster.until('the warning', () => cluster.warned.includes('SAME_IDENTITY'));
    expect([one.election.isLeader(), other.election.isLeader()]).toEqual([true, false]);
    expect([other.terms, other.election.leader]).toEqual([[], 'pod-1']);
    await cluster.settled(one.election.stepDown({ cooldownMs: 60_000 }));
    await leads(cluster, other);
    expect(one.election.isLeader()).toBe(false);
    expect(other.terms[0]!.fencingToken).toBeGreaterThan(one.terms[0]!.fencingToken);
    await end(cluster, one, other);
    expect([one.stopped, other.stopped]).toEqual([['stepped-down'], ['aborted']]);
    expect(cluster.warned).toEqual(['SAME_IDENTITY']);
  });
});
