// What goes wrong with other electors (H1 and on: numbered as in the study of client-go), tried on ours.
// H6 and H7, numbers that do not fit, are in options.test.ts; H9, a reader of whole seconds, is in the
// tests of the protocol: stamps grow by a second.
import { describe, expect, it } from '@jest/globals';
import type { Leading } from '@metaparticle/sync';
import { candidate } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { isPending, sleep, until } from '../../support/promises.js';
import { SocketCluster, quick, quickBeliefMs } from '../../support/cluster.js';

/** So that no renewal comes between: what is found out at once came by the watch. */
const slow = { leaseDurationMs: 60_000, renewIntervalMs: 20_000, marginMs: 2_000 } as const;

async function leads({ election }: Candidate): Promise<void> {
  await until('a leader', () => election.isLeader());
}

async function isWatched({ api }: SocketCluster): Promise<void> {
  const isOpen = (): boolean =>
    api.requests.log.some((one) => one.verb === 'watch' && one.answered);
  await until('a watch', isOpen);
}

/** Another elector writes its record over whatever there is. */
function overwrite(
  world: SocketCluster,
  holderIdentity: string,
  leaseDurationSeconds = 3_600,
): void {
  const time = new Date().toISOString().replace('Z', '000Z');
  world.api.leases.edit('default', 'crown', ({ spec }) => {
    const leaseTransitions = (spec.leaseTransitions ?? 0) + 1;
    const times = { acquireTime: time, renewTime: time };
    Object.assign(spec, { holderIdentity, leaseDurationSeconds, leaseTransitions, ...times });
  });
}

/** Notes in what order one tick tells of an end; `later` is what only a following one can bring. */
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

describe('hazards of other electors', () => {
  it.concurrent('H1: a foreign holder that is seen ends the term in the same tick', async () => {
    await using world = await SocketCluster.start();
    const { told, leadership, note, listen, over } = recorder();
    const a = candidate(world, 'a', {
      ...slow,
      onStartedLeading: listen,
      onStoppedLeading: (reason) => note(`stopped: ${reason}`),
    });
    over(a);
    const run = a.run();
    await leads(a);
    await isWatched(world);
    overwrite(world, 'b');
    await until('the loss', () => told.length > 0, 1_000);
    await sleep(200);
    expect(told).toEqual(['signal', 'lostSignal', 'stopped: lost', 'later']);
    expect(leadership).toEqual([false, false, false]);
    expect([a.election.isLeader(), a.election.fencingToken]).toEqual([false, null]);
    expect(a.election.leader).toBe('b');
    a.stop.abort();
    await run;
    expect(world.holder('crown')).toBe('b');
  });

  it.concurrent.each([
    ['came and went', (world: SocketCluster) => overwrite(world, '', 1)],
    ['came and put our name back', (world: SocketCluster) => overwrite(world, 'a', 2)],
    ['came and was deleted', ({ api }: SocketCluster) => api.leases.delete('default', 'crown')],
  ])('H2: a foreign holder that %s, unseen, ends the term once', async (_, leave) => {
    await using world = await SocketCluster.start();
    const stall = world.api.faults.stallWatch();
    const a = candidate(world, 'a');
    const run = a.run();
    await leads(a);
    overwrite(world, 'b');
    leave(world);
    await until('another term', () => a.terms.length === 2, 12_000);
    const [first, second] = a.terms;
    expect(a.stopped).toEqual(['lost']);
    expect([first?.signal.aborted, first?.lostSignal.aborted]).toEqual([true, true]);
    expect([second?.signal.aborted, second?.lostSignal.aborted]).toEqual([false, false]);
    expect(second!.fencingToken).toBeGreaterThan(first!.fencingToken);
    stall.resume('nothing');
    a.stop.abort();
    await run;
    expect(a.stopped).toEqual(['lost', 'aborted']);
  });

  it.concurrent(
    'H3: the end is told before the release is tried, whatever becomes of it',
    async () => {
      await using world = await SocketCluster.start();
      const { told, leadership, note, listen, over } = recorder();
      const a = candidate(world, 'a', {
        ...slow,
        onStartedLeading: listen,
        onStoppedLeading: (reason) => note(`stopped: ${reason}`),
      });
      over(a);
      const run = a.run();
      await leads(a);
      world.api.faults.hang();
      const stepping = a.election.stepDown({ cooldownMs: 60_000 });
      // Well before the release is given up.
      await until('the end', () => told.includes('stopped: stepped-down'), 1_000);
      expect(await isPending(stepping)).toBe(true);
      expect(told.filter((what) => what !== 'later')).toEqual([
        ...['signal', 'lostSignal', 'stopped: stepped-down'],
      ]);
      // The first signal asks to wind down: it is led until then, and not any more at the end.
      expect([leadership.at(0), leadership.at(-1)]).toEqual([true, false]);
      expect(a.election.isLeader()).toBe(false);
      a.stop.abort();
      await Promise.all([stepping, run]);
    },
  );

  it.concurrent.each(['b', 'a'])(
    'H4: a release leaves the record of another holder alone who calls itself %j',
    async (identity) => {
      await using world = await SocketCluster.start();
      world.api.faults.stallWatch();
      const a = candidate(world, 'a', slow);
      const run = a.run();
      await leads(a);
      overwrite(world, identity);
      const before = world.api.leases.get('default', 'crown');
      world.api.requests.reset();
      a.stop.abort();
      await run;
      expect(world.api.leases.get('default', 'crown')).toEqual(before);
      expect(world.api.requests.log.map(({ verb, status }) => `${verb} ${status ?? '-'}`)).toEqual([
        ...['update 409', 'get 200'],
      ]);
      expect(a.stopped).toEqual(['aborted']);
    },
  );

  it.concurrent('H5: what the answers of the server take does not lengthen belief', async () => {
    const lateMs = 700;
    await using world = await SocketCluster.start();
    world.api.faults.stallWatch();
    const a = candidate(world, 'a');
    const run = a.run();
    await leads(a);
    world.api.faults.delay({ responseMs: lateMs });
    const renewals = (): number[] =>
      world.api.requests.log
        .filter(({ verb, answered, status }) => verb === 'update' && answered && status === 200)
        .map(({ at }) => at);
    await until('renewals', () => renewals().length >= 3, 10_000);
    world.api.faults.hang();
    await until('the loss', () => a.stopped.length === 1, 10_000);
    const lostAt = Date.now();
    // It arrived here after it was sent; an answer under way at the end may have been counted, too.
    const committedAt = world.api.requests.log
      .filter(({ verb, status }) => verb === 'update' && status === 200)
      .at(-1)!.at;
    expect(lostAt - committedAt).toBeLessThan(quickBeliefMs + lateMs / 2);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    a.stop.abort();
    await run;
  });

  it.concurrent(
    'H8: the lease is renewed and nobody else leads until the work has ended',
    async () => {
      await using world = await SocketCluster.start();
      let finish: () => void = () => undefined;
      const work = new Promise<void>((resolve) => (finish = resolve));
      const a = candidate(world, 'a', { onStartedLeading: () => work });
      const b = candidate(world, 'b');
      const runs = [a.run()];
      await leads(a);
      runs.push(b.run());
      const stepping = a.election.stepDown({ cooldownMs: 60_000 });
      const { renewTime } = world.spec('crown');
      // Longer than a lease lasts that nobody renews.
      await sleep(quick.leaseDurationMs + 500);
      expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
      expect(Date.parse(world.spec('crown').renewTime!)).toBeGreaterThan(
        Date.parse(renewTime!) + 2_000,
      );
      expect(a.stopped).toEqual([]);
      finish();
      await stepping;
      expect(a.election.isLeader()).toBe(false);
      await until('b leads', () => b.election.isLeader(), 2_000);
      a.stop.abort();
      b.stop.abort();
      await Promise.all(runs);
    },
  );

  it.concurrent('H10: belief ends on time while no request is ever answered', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a');
    const run = a.run();
    await leads(a);
    const ledAt = performance.now();
    world.api.pause();
    await until('the loss', () => a.stopped.length === 1, 8_000);
    expect(performance.now() - ledAt).toBeLessThan(quickBeliefMs + 500);
    expect(a.stopped).toEqual(['lost']);
    expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
    world.api.resume();
    a.stop.abort();
    await run;
  });

  it('H10: a leader whose process stood still knows that it leads no more when it is asked', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a');
    const run = a.run();
    await leads(a);
    const end = performance.now() + quickBeliefMs + 100;
    while (performance.now() < end);
    const [first] = a.terms;
    expect(first?.lostSignal.aborted).toBe(false);
    expect(a.election.fencingToken).toBeNull();
    expect([first?.signal.aborted, first?.lostSignal.aborted]).toEqual([true, true]);
    expect([a.election.isLeader(), a.stopped]).toEqual([false, ['lost']]);
    a.stop.abort();
    await run;
  });

  it.concurrent(
    'H11: of two processes with one identity, one leads, and the other warns',
    async () => {
      await using world = await SocketCluster.start();
      const [one, other] = [candidate(world, 'pod-1'), candidate(world, 'pod-1')];
      const runs = [one.run()];
      await leads(one);
      runs.push(other.run());
      await until('the warning', () => world.warned.includes('SAME_IDENTITY'), 8_000);
      expect([one.election.isLeader(), other.election.isLeader()]).toEqual([true, false]);
      expect([other.terms, other.election.leader]).toEqual([[], 'pod-1']);
      await one.election.stepDown({ cooldownMs: 60_000 });
      await leads(other);
      expect(one.election.isLeader()).toBe(false);
      expect(other.terms[0]!.fencingToken).toBeGreaterThan(one.terms[0]!.fencingToken);
      one.stop.abort();
      other.stop.abort();
      await Promise.all(runs);
      expect([one.stopped, other.stopped]).toEqual([['stepped-down'], ['aborted']]);
      expect(world.warned).toEqual(['SAME_IDENTITY']);
    },
  );
});
