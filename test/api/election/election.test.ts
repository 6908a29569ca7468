import { describe, expect, it } from '@jest/globals';
import {
  ClosedError,
  Election,
  ForbiddenError,
  InvalidOptionError,
  LeaseClient,
  LockLostError,
  type Leader,
} from '@metaparticle/sync';
import { candidate } from '../../support/candidate.js';
import { sleep, until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

const noConfig = {
  getCurrentCluster: () => null,
  getCurrentContext: () => '',
  getContextObject: () => null,
  applyToHTTPSOptions: () => Promise.resolve(),
};

describe('an election', () => {
  it('has one leader, who hands over when it is asked to stop', async () => {
    await using world = await SocketCluster.start();
    const [a, b] = [candidate(world, 'a'), candidate(world, 'b')];
    const runA = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    const runB = b.run();
    await until('b.election.leader === a', () => b.election.leader === 'a');
    expect(b.election.isLeader()).toBe(false);
    a.stop.abort();
    await runA;
    await until('b.election.isLeader()', () => b.election.isLeader());
    expect(a.stopped).toEqual(['aborted']);
    expect(a.terms).toHaveLength(1);
    expect(b.election.fencingToken).toBeGreaterThan(a.terms[0]!.fencingToken);
    expect(b.leaders.filter((leader) => leader !== null)).toEqual(['a', 'b']);
    b.stop.abort();
    await runB;
    expect(world.holder('crown')).toBe('');
    expect([a.stopped, b.stopped]).toEqual([['aborted'], ['aborted']]);
  });

  it('is led on while a callback winds down, and let go only then', async () => {
    await using world = await SocketCluster.start();
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const a = candidate(world, 'a', {
      onStartedLeading: async (leading) => {
        a.terms.push(leading);
        await work;
      },
    });
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    a.stop.abort();
    expect(a.terms[0]?.signal.aborted).toBe(true);
    // Longer than belief lasts without a renewal.
    await sleep(4_000);
    expect(a.election.isLeader()).toBe(true);
    expect(a.terms[0]?.lostSignal.aborted).toBe(false);
    expect(world.holder('crown')).toBe('a');
    expect(a.stopped).toEqual([]);
    finish();
    await run;
    expect(a.stopped).toEqual(['aborted']);
    expect(world.holder('crown')).toBe('');
  });

  it('ends belief when the drain takes too long, and leaves the lease to run out', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a', {
      drainTimeoutMs: 200,
      onStartedLeading: (leading) => {
        a.terms.push(leading);
        return new Promise(() => undefined);
      },
    });
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    a.stop.abort();
    await run;
    expect(a.election.isLeader()).toBe(false);
    expect(a.terms[0]?.lostSignal.aborted).toBe(true);
    expect(a.stopped).toEqual(['aborted']);
    expect(world.holder('crown')).toBe('a');
  });

  it('tells of a loss in both signals, once, and campaigns again with a greater token', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a');
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    world.api.leases.delete('default', 'crown');
    await until('a.terms.length === 2', () => a.terms.length === 2);
    const [first, second] = a.terms;
    expect(first?.signal.reason).toBeInstanceOf(LockLostError);
    expect(first?.lostSignal.reason).toMatchObject({ reason: 'deleted' });
    expect(a.stopped).toEqual(['lost']);
    expect(second!.fencingToken).toBeGreaterThan(first!.fencingToken);
    a.stop.abort();
    await run;
    expect(a.stopped).toEqual(['lost', 'aborted']);
  });

  it('counts a loss while it drains as a loss, and starts no new term beside old work', async () => {
    await using world = await SocketCluster.start();
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const a = candidate(world, 'a', {
      onStartedLeading: (leading) => {
        a.terms.push(leading);
        return work;
      },
    });
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    const stepping = a.election.stepDown({ cooldownMs: 0 });
    world.api.leases.delete('default', 'crown');
    await stepping;
    expect(a.stopped).toEqual(['lost']);
    await sleep(300);
    expect(a.terms).toHaveLength(1);
    finish();
    await until('a.terms.length === 2', () => a.terms.length === 2);
    a.stop.abort();
    await run;
  });

  it('ends a term whose callback rejects, lets go, and rejects with that very error', async () => {
    await using world = await SocketCluster.start();
    const mine = new Error('mine');
    const a = candidate(world, 'a', { onStartedLeading: () => Promise.reject(mine) });
    await expect(a.run()).rejects.toBe(mine);
    expect(a.stopped).toEqual(['failed']);
    expect(world.holder('crown')).toBe('');
  });

  it('takes the rejection of a callback that was asked to stop for what it is', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a', {
      onStartedLeading: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    });
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    a.stop.abort();
    await run;
    expect(a.stopped).toEqual(['aborted']);
  });

  it('goes on leading when the callback returns', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a');
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    await sleep(50);
    expect(a.election.isLeader()).toBe(true);
    expect(a.stopped).toEqual([]);
    a.stop.abort();
    await run;
  });

  it('steps down for another, and stays out for a while', async () => {
    await using world = await SocketCluster.start();
    const [a, b] = [candidate(world, 'a'), candidate(world, 'b')];
    const runs = [a.run()];
    await until('a.election.isLeader()', () => a.election.isLeader());
    runs.push(b.run());
    await until('b.election.leader === a', () => b.election.leader === 'a');
    await a.election.stepDown({ cooldownMs: 500 });
    expect(a.stopped).toEqual(['stepped-down']);
    await until('b.election.isLeader()', () => b.election.isLeader());
    await b.election.stepDown({ cooldownMs: 60_000 });
    await until('a.election.isLeader()', () => a.election.isLeader());
    expect(a.terms).toHaveLength(2);
    a.stop.abort();
    b.stop.abort();
    await Promise.all(runs);
  });

  it('drains also when it is asked to step down from within the callback', async () => {
    await using world = await SocketCluster.start();
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const a = candidate(world, 'a', {
      onStartedLeading: (leading) => {
        a.terms.push(leading);
        if (a.terms.length === 1) void a.election.stepDown({ cooldownMs: 60_000 });
        return work;
      },
    });
    const run = a.run();
    await until('a term', () => a.terms.length === 1);
    await sleep(200);
    expect(a.election.isLeader()).toBe(true);
    expect(a.stopped).toEqual([]);
    finish();
    await until('the end of the term', () => a.stopped.length === 1);
    expect(a.stopped).toEqual(['stepped-down']);
    expect(a.terms[0]?.lostSignal.aborted).toBe(true);
    a.stop.abort();
    await run;
  });

  it('starts no callback beside one of an earlier run that is unsettled', async () => {
    await using world = await SocketCluster.start();
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const a = candidate(world, 'a', {
      drainTimeoutMs: 50,
      onStartedLeading: (leading) => {
        a.terms.push(leading);
        return work;
      },
    });
    const first = a.run();
    await until('a term', () => a.terms.length === 1);
    a.stop.abort();
    await first;
    const again = new AbortController();
    const second = a.election.run({ signal: again.signal });
    // Nobody holds it now: nothing else keeps it from leading.
    world.api.leases.delete('default', 'crown');
    await sleep(500);
    expect(a.terms).toHaveLength(1);
    finish();
    await until('another term', () => a.terms.length === 2);
    again.abort();
    await second;
  });

  it('ends quietly with a signal that was aborted before, whatever the configuration', async () => {
    const onStartedLeading = (): void => undefined;
    const client = new LeaseClient({ kubeConfig: { ...noConfig } });
    const election = new Election('crown', { client, onStartedLeading });
    await election.run({ signal: AbortSignal.abort() });
    for await (const leader of election.observe({ signal: AbortSignal.abort() }))
      expect(leader).toBe(0);
    await sleep(10);
    await client.close();
  });

  it('ends with the client, which is told by the error', async () => {
    await using world = await SocketCluster.start();
    const client = world.client({ identity: 'a' });
    const a = candidate(world, 'a', { client });
    const run = a.run();
    await until('a.election.isLeader()', () => a.election.isLeader());
    await Promise.all([client.close(), expect(run).rejects.toBeInstanceOf(ClosedError)]);
    expect(a.stopped).toEqual(['aborted']);
    expect(a.terms[0]?.signal.aborted).toBe(true);
    expect(world.holder('crown')).toBe('');
  });

  it('rejects at once what waiting would not mend, and a second run beside the first', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.forbid({ verb: 'create' });
    const a = candidate(world, 'a');
    await expect(a.run()).rejects.toBeInstanceOf(ForbiddenError);
    world.api.faults.clear();
    const run = a.run();
    await expect(a.run()).rejects.toBeInstanceOf(InvalidOptionError);
    a.stop.abort();
    await run;
    expect(a.stopped).toEqual([]);
  });

  it('checks its options when it is made', () => {
    const onStartedLeading = (): void => undefined;
    expect(() => new Election('Bad Name', { onStartedLeading })).toThrow(InvalidOptionError);
    expect(() => new Election('crown', {} as never)).toThrow(
      'onStartedLeading: must be a function',
    );
    expect(() => new Election('crown', { onStartedLeading, drainTimeoutMs: -1 })).toThrow(
      'drainTimeoutMs: must be a number of milliseconds, zero or more; got -1',
    );
    expect(() => new Election('crown', { onStartedLeading, retryPeriod: 2 } as never)).toThrow(
      'retryPeriod: is not an option',
    );
  });
});

describe('an observer', () => {
  it('sees who leads now, then each change, and ends quietly', async () => {
    await using world = await SocketCluster.start();
    const a = candidate(world, 'a');
    const watcher = candidate(world, 'looker');
    const seen: (Leader | null)[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const leader of watcher.election.observe({ signal: stop.signal }))
        seen.push(leader);
    })();
    await until('seen.length === 1', () => seen.length === 1);
    expect(seen).toEqual([null]);
    const run = a.run();
    await until('seen.at(-1).identity === a', () => seen.at(-1)?.identity === 'a');
    expect(seen.at(-1)?.fencingToken).toBe(a.terms[0]?.fencingToken);
    expect(seen.at(-1)?.since).toBeInstanceOf(Date);
    a.stop.abort();
    await run;
    await until('seen.at(-1) === null', () => seen.at(-1) === null);
    world.api.leases.edit('default', 'crown', (lease) => {
      lease.spec.holderIdentity = 'stranger';
    });
    await until('seen.at(-1).identity === stranger', () => seen.at(-1)?.identity === 'stranger');
    expect(seen.at(-1)?.fencingToken).toBeNull();
    stop.abort();
    await watching;
  });

  it('that is left while it waits ends at once', async () => {
    await using world = await SocketCluster.start();
    const leaders = candidate(world, 'looker').election.observe();
    expect(await leaders.next()).toEqual({ done: false, value: null });
    const next = leaders.next();
    expect(await leaders.return()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('writes nothing, and is told what it may not read', async () => {
    await using world = await SocketCluster.start();
    const looker = candidate(world, 'looker');
    for await (const leader of looker.election.observe()) {
      expect(leader).toBeNull();
      break;
    }
    const { counts } = world.api.requests;
    expect([counts.create, counts.update]).toEqual([0, 0]);
    world.api.faults.forbid({ verb: 'get' });
    const other = candidate(world, 'other');
    await expect(other.election.observe().next()).rejects.toBeInstanceOf(ForbiddenError);
  });
});
