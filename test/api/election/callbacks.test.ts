// What the callbacks of an election are called with, in which order, and what becomes of their errors.
import { describe, expect, it, jest } from '@jest/globals';
import { warn } from '../../../src/callbacks.js';
import { listen } from '../../../src/diagnostics.js';
import { candidate, end, follower, leader, openWork } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { Cluster } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';

/** What `process.emitWarning` was called with while `act` ran. */
async function warnedOf(act: () => Promise<void>): Promise<unknown[]> {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    await act();
    return emitWarning.mock.calls.map(([warning]) => warning);
  } finally {
    emitWarning.mockRestore();
  }
}

describe('onStartedLeading', () => {
  it('is called once per term, with signals that are not aborted and the token of the term', async () => {
    await using cluster = await Cluster.start();
    const seen: unknown[] = [];
    const a = candidate(cluster, 'a', {
      onStartedLeading: ({ signal, lostSignal, fencingToken }) => {
        const { election } = a;
        seen.push([signal.aborted, lostSignal.aborted, election.isLeader()]);
        seen.push(fencingToken === election.fencingToken);
      },
    });
    void a.run();
    await cluster.advance(10_000);
    expect(seen).toEqual([[false, false, true], true]);
    await end(cluster, a);
  });

  it('that rejects ends the term: the lease is let go, and run() rejects with that very error', async () => {
    await using cluster = await Cluster.start();
    const mine = new Error('mine');
    const a = candidate(cluster, 'a', { onStartedLeading: () => Promise.reject(mine) });
    expect(await rejection(a.run())).toBe(mine);
    expect(a.stopped).toEqual(['failed']);
    expect(a.terms[0]?.lostSignal.aborted).toBe(true);
    expect(cluster.holder('crown')).toBe('');
  });

  it('that throws ends the term alike', async () => {
    await using cluster = await Cluster.start();
    const mine = new Error('mine');
    const a = candidate(cluster, 'a', {
      onStartedLeading: () => {
        throw mine;
      },
    });
    expect(await rejection(a.run())).toBe(mine);
    expect(a.stopped).toEqual(['failed']);
    expect(cluster.holder('crown')).toBe('');
  });

  it('that fails while it winds down makes run() reject; the term ended for the reason given before', async () => {
    await using cluster = await Cluster.start();
    const mine = new Error('mine');
    const work = openWork();
    const a = await leader(cluster, 'a', {
      onStartedLeading: async () => {
        await work.done;
        throw mine;
      },
    });
    a.stop.abort();
    work.finish();
    expect(await cluster.settled(rejection(a.running))).toBe(mine);
    expect(a.stopped).toEqual(['aborted']);
  });
});

describe('onStoppedLeading', () => {
  it('is called when the term is over, in the tick of lostSignal, and before the lease is let go', async () => {
    await using cluster = await Cluster.start();
    const order: string[] = [];
    const note = (what: string): void => {
      order.push(`${what}, ${a.election.isLeader() ? 'leads' : 'does not lead'}`);
    };
    const a = candidate(cluster, 'a', {
      onStartedLeading: ({ signal, lostSignal }) => {
        signal.addEventListener('abort', () => note('signal'));
        lostSignal.addEventListener('abort', () => note('lostSignal'));
      },
      onStoppedLeading: (reason) => note(`${reason}, held by ${cluster.holder('crown')}`),
    });
    void a.run();
    await cluster.advance(0);
    await a.election.stepDown({ cooldownMs: 60_000 });
    expect(order).toEqual([
      'signal, leads',
      'lostSignal, does not lead',
      'stepped-down, held by a, does not lead',
    ]);
    await end(cluster, a);
  });

  it('that throws makes run() reject with what it threw, once the lease is let go', async () => {
    await using cluster = await Cluster.start();
    const mine = new Error('mine');
    const a = await leader(cluster, 'a', {
      onStoppedLeading: () => {
        throw mine;
      },
    });
    a.stop.abort();
    expect(await cluster.settled(rejection(a.running))).toBe(mine);
    expect(cluster.holder('crown')).toBe('');
  });

  it('that rejects is a warning, and the election goes on', async () => {
    await using cluster = await Cluster.start();
    const mine = new Error('mine');
    const a = await leader(cluster, 'a', { onStoppedLeading: () => Promise.reject(mine) });
    const warnings = await warnedOf(async () => {
      await cluster.settled(a.election.stepDown({ cooldownMs: 0 }));
      await cluster.until('another term', () => a.terms.length === 2);
    });
    expect(warnings).toEqual([mine]);
    await warnedOf(() => end(cluster, a));
  });
});

describe('onNewLeader', () => {
  it('is called with each change of leader, null for none, and once for each', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown', { holderIdentity: 'x', leaseDurationSeconds: 3_600 });
    const a = await follower(cluster, 'a');
    await cluster.advance(10_000);
    cluster.overtake('crown', 'y');
    await cluster.advance(10_000);
    cluster.overtake('crown', 'y');
    await cluster.advance(0);
    expect(a.leaders).toEqual(['x', 'y']);
    cluster.api.faults.hang({ match: { verb: 'update' } });
    cluster.vacate('crown');
    await cluster.advance(0);
    expect(a.leaders).toEqual(['x', 'y', null]);
    cluster.overtake('crown', 'z');
    await cluster.advance(0);
    cluster.api.leases.delete('default', 'crown');
    await cluster.advance(0);
    expect(a.leaders.slice(0, 5)).toEqual(['x', 'y', null, 'z', null]);
    cluster.api.faults.clear();
    await end(cluster, a);
  });

  it('is called with the candidate itself, and with null at its release', async () => {
    await using cluster = await Cluster.start();
    const a = await leader(cluster, 'a');
    await cluster.settled(a.election.stepDown({ cooldownMs: 1_000 }));
    await cluster.until('another term', () => a.terms.length === 2);
    expect(a.leaders).toEqual(['a', null, 'a']);
    await end(cluster, a);
  });

  it('that throws or rejects is a warning, and the election goes on', async () => {
    await using cluster = await Cluster.start();
    const [thrown, rejected] = [new Error('thrown'), new Error('rejected')];
    const warnings = await warnedOf(async () => {
      const a = await leader(cluster, 'a', {
        onNewLeader: (identity) => {
          if (identity === 'a') throw thrown;
          return Promise.reject(rejected);
        },
      });
      await cluster.settled(a.election.stepDown());
      expect(a.stopped).toEqual(['stepped-down']);
      await end(cluster, a);
    });
    expect(warnings).toEqual([thrown, rejected]);
  });
});

describe('the end of a term', () => {
  /** What happens to a term, in order: its signals, steps that the API server could see, its callbacks. */
  async function ending(how: (cluster: Cluster, a: Candidate) => unknown): Promise<string[]> {
    await using cluster = await Cluster.start();
    const order: string[] = [];
    const a = candidate(cluster, 'a', {
      onStartedLeading: ({ signal, lostSignal }) => {
        signal.addEventListener('abort', () => order.push('signal'));
        lostSignal.addEventListener('abort', () => order.push('lostSignal'));
      },
      onStoppedLeading: (reason) => order.push(reason),
      onNewLeader: (identity) => order.push(`leader: ${identity ?? 'none'}`),
    });
    void a.run();
    await cluster.advance(100);
    const stopListening = listen({
      step: ({ step, intent }) => void order.push(intent ?? step),
      event: () => undefined,
      outage: () => undefined,
    });
    order.length = 0;
    await how(cluster, a);
    await cluster.advance(0);
    stopListening();
    const before = [...order];
    await end(cluster, a);
    return before;
  }

  it('by wish is in both signals before the lease is let go', async () => {
    const order = await ending((_, a) => a.election.stepDown({ cooldownMs: 60_000 }));
    expect(order).toEqual(['signal', 'lostSignal', 'vacate', 'stepped-down', 'leader: none']);
  });

  it('by loss is in both signals before anything else is done or told', async () => {
    const order = await ending((cluster) => cluster.overtake('crown', 'b'));
    expect(order).toEqual(['signal', 'lostSignal', 'lost', 'leader: b']);
  });
});

describe('authority ends before it is told of', () => {
  it('a listener of lostSignal does not see its process lead, also when the term ends by wish', async () => {
    await using cluster = await Cluster.start();
    const leadership: boolean[] = [];
    const a = candidate(cluster, 'a', {
      onStartedLeading: ({ lostSignal }) => {
        lostSignal.addEventListener('abort', () => leadership.push(a.election.isLeader()));
      },
    });
    void a.run();
    await cluster.advance(0);
    await a.election.stepDown({ cooldownMs: 60_000 });
    expect(leadership).toEqual([false]);
    await end(cluster, a);
  });

  it('a process that is told of another leader does not lead any more', async () => {
    await using cluster = await Cluster.start();
    const told: unknown[] = [];
    const a = candidate(cluster, 'a', {
      onNewLeader: (identity) => told.push([identity, a.election.isLeader()]),
    });
    void a.run();
    await cluster.advance(0);
    cluster.overtake('crown', 'stranger');
    await cluster.advance(0);
    expect(told).toEqual([
      ['a', true],
      ['stranger', false],
    ]);
    await end(cluster, a);
  });
});

describe('what a callback throws is a warning in words', () => {
  it.each([
    ['an error', new Error('mine'), new Error('mine')],
    ['a text', 'mine', 'mine'],
    [
      'an error whose message is no text',
      Object.assign(new Error('x'), { message: { a: 1 } }),
      expect.any(Error),
    ],
    ['an object without a prototype', Object.create(null), expect.any(String)],
    [
      'what cannot be shown',
      {
        toString: () => {
          throw new Error('no');
        },
      },
      'a callback failed with what cannot be put into words',
    ],
  ])('%s', async (_, what: unknown, expected: unknown) => {
    const warnings = await warnedOf(() => {
      warn(what);
      return Promise.resolve();
    });
    expect(warnings).toEqual([expected]);
  });
});
