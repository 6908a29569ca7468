// An API server that cannot be reached, or answers with errors: waited for, told about, and asked with care.
import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError, ApiUnreachableError, Lock } from '@metaparticle/sync';
import type { BaseLeaseServer } from '@metaparticle/sync/testing';
import { expectError, rejection } from '../../support/promises.js';
import { Cluster, SocketCluster, quickHeldMs } from '../../support/cluster.js';

const read = { verb: 'get' } as const;
const update = { verb: 'update' } as const;

interface Trouble {
  readonly title: string;
  readonly start: (api: BaseLeaseServer) => unknown;
  readonly words: RegExp;
}

const troubles: readonly Trouble[] = [
  { title: 'no server at the address', start: (api) => api.close(), words: /ECONNREFUSED/ },
  {
    title: '429',
    start: ({ faults }) => faults.status({ code: 429, retryAfterSeconds: 30 }),
    words: /gives no answer: 429/,
  },
  {
    title: '500',
    start: ({ faults }) => faults.status({ code: 500, message: 'etcd is away' }),
    words: /gives no answer: 500 .*etcd is away/,
  },
  {
    title: 'the 503 of a proxy',
    start: ({ faults }) => faults.status({ code: 503, body: '<h1>Bad Gateway</h1>' }),
    words: /gives no answer: 503 +Bad Gateway/,
  },
  {
    title: 'dropped connections',
    start: ({ faults }) => faults.dropBefore(),
    words: /cannot be reached: .*ECONNRESET/,
  },
  {
    title: 'no answer',
    start: ({ faults }) => faults.hang(),
    words: /no answer/,
  },
];

describe.each(troubles)('with an API server in trouble, $title:', ({ start, words }) => {
  it('tryAcquire gives up after 5 s, and says why', async () => {
    await using cluster = await Cluster.start();
    await start(cluster.api);
    const error = await cluster.settled(rejection(cluster.lock('job').tryAcquire()));
    expect(cluster.now).toBe(5_000);
    const parts = [
      /^lock default\/job: the API server gave no usable answer within 5000 ms: /,
      words,
    ];
    const unreachable = expectError(error, ApiUnreachableError, 'ERR_API_UNREACHABLE', ...parts);
    expect(unreachable).toMatchObject({ retryable: true, server: cluster.api.url });
  });

  it('acquire waits until its time is over, and says why', async () => {
    await using cluster = await Cluster.start();
    await start(cluster.api);
    const call = rejection(cluster.lock('job').acquire({ timeoutMs: 1_500 }));
    const error = await cluster.settled(call);
    expect(cluster.now).toBe(1_500);
    const parts = [/^lock default\/job not acquired within 1500 ms: no holder was seen; last /];
    const timedOut = expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', ...parts);
    expect(timedOut).toMatchObject({ holder: null, lock: 'default/job', retryable: true });
    expect(timedOut.waitedMs).toBe(1_500);
    expectError(timedOut.cause, ApiUnreachableError, 'ERR_API_UNREACHABLE', words);
  });
});

describe('once an API server in trouble is well again, acquire gets the lock, after', () => {
  const passing = troubles.filter(({ words }) => words.source !== 'ECONNREFUSED');
  it.each(passing)('$title', async ({ start }) => {
    await using cluster = await Cluster.start();
    await start(cluster.api);
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(20_000);
    cluster.api.faults.clear();
    // Retry-After asked for 30 s; a request that hangs is given up after 5 s.
    expect((await cluster.settled(waiting, { limitMs: 30_000 })).isHeld()).toBe(true);
  });
});

describe('over real sockets, a time limit says why the API server was not reached:', () => {
  it.each([
    ['nothing listens', (api: BaseLeaseServer) => api.close(), 'ECONNREFUSED'],
    [
      'connections are dropped',
      (api: BaseLeaseServer) => api.faults.dropBefore(),
      'socket hang up',
    ],
  ])('%s', async (_, start, words) => {
    await using cluster = await SocketCluster.start();
    await start(cluster.api);
    const error = await rejection(cluster.lock('job').acquire({ timeoutMs: 500 }));
    const timedOut = expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', words);
    const unreachable = expectError(timedOut.cause, ApiUnreachableError, 'ERR_API_UNREACHABLE');
    expect(unreachable.server).toBe(cluster.url);
  });
});

describe('an API server in trouble', () => {
  it('is tried again within the budget of one tryAcquire', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.status({ match: read, code: 500, times: 1 });
    cluster.api.faults.dropBefore({ match: { verb: 'create' }, times: 1 });
    cluster.api.faults.hang({ match: update, times: 1 });
    const handle = await cluster.settled(cluster.lock('job').tryAcquire());
    expect(handle?.isHeld()).toBe(true);
    expect(cluster.now).toBeLessThan(5_000);
  });

  it('is left alone for as long as Retry-After says', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.status({ match: read, code: 429, retryAfterSeconds: 2, times: 1 });
    await cluster.settled(cluster.lock('job').acquire());
    expect(cluster.now).toBe(2_000);
  });

  it('is asked again a second before a lock would be lost, whatever Retry-After says', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.requests.reset();
    const begunAt = cluster.date.getTime();
    cluster.api.faults.status({ match: update, code: 429, retryAfterSeconds: 60, times: 1 });
    await cluster.advance(quickHeldMs);
    expect(handle.isHeld()).toBe(true);
    const [first, second] = cluster.api.requests.log;
    expect([first?.status, second?.status]).toEqual([429, 200]);
    expect([first, second].map((one) => (one?.at ?? 0) - begunAt)).toEqual([
      1_000,
      quickHeldMs - 1_000,
    ]);
  });
});

describe('an outage of 10 s', () => {
  it.each([0, 100, 500, 1_000, 1_900])(
    'costs no lock with default timings when answers took %d ms before it',
    async (slowMs) => {
      await using cluster = await Cluster.start();
      const client = cluster.client();
      const handle = await new Lock('job', { client }).acquire();
      const { faults, requests } = cluster.api;
      const slow = faults.delay({ requestMs: slowMs });
      await cluster.advance(10_000);
      // It begins when a renewal has just been answered.
      const answered = (): number => {
        return requests.log.filter(({ verb, answered: isAnswered }) => {
          return verb === 'update' && isAnswered;
        }).length;
      };
      const before = answered();
      await cluster.until('a renewal is answered', () => answered() > before);
      slow.remove();
      faults.stallWatch({ which: 'all' });
      faults.hang();
      await cluster.advance(10_000);
      faults.clear();
      await cluster.advance(15_000);
      expect(handle.isHeld()).toBe(true);
    },
  );
});

describe('the 404 of a proxy in front', () => {
  it.each(['<h1>404 Not Found</h1>', ''])('is no loss (%j)', async (body) => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const match = { verb: ['get', 'update'] } as const;
    const fault = cluster.api.faults.status({ match, code: 404, body, times: 2 });
    await cluster.advance(2 * quickHeldMs);
    expect(fault.hits).toBe(2);
    expect(handle.isHeld()).toBe(true);
    expect(await handle.release()).toBe(true);
  });
});

describe('reads that fail while writes do not', () => {
  it.each([
    ['403', (api: BaseLeaseServer) => api.faults.forbid(read)],
    ['503', (api: BaseLeaseServer) => api.faults.status({ code: 503, match: read })],
    ['no answer', (api: BaseLeaseServer) => api.faults.hang({ match: read })],
  ])('cost no holder its term, also when its watch has missed something: %s', async (_, start) => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    await cluster.advance(100);
    start(cluster.api);
    cluster.api.requests.reset();
    cluster.api.faults.expireWatches();
    await cluster.advance(20_000);
    expect(handle.isHeld()).toBe(true);
    // A renewal a second, and one more at once.
    expect(cluster.api.requests.counts).toMatchObject({ get: 0, update: 21 });
  });
});

describe('a lost request costs an acquisition less than a second, whichever it is:', () => {
  it.each(['get', 'create', 'update'] as const)('%s', async (verb) => {
    await using cluster = await Cluster.start();
    cluster.api.faults.hang({ match: { verb }, times: 1 });
    expect(await cluster.elapsed(cluster.lock('job').acquire())).toBeLessThan(1_000);
  });

  it('also for tryAcquire, when the Lease has to be created', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.hang({ match: { verb: 'create' }, times: 1 });
    expect(await cluster.settled(cluster.lock('job').tryAcquire())).not.toBeNull();
  });
});
