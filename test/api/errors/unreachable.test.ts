// An API server that gives no usable answer is waited for, and not in silence: warnings, `check()`, metrics and spans.
import { describe, expect, it } from '@jest/globals';
import { ApiUnreachableError, Election } from '@metaparticle/sync';
import type { BaseLeaseServer, FaultHandle } from '@metaparticle/sync/testing';
import { Cluster, quick } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';

/** Settings under which a lock outlives outages of half a minute. */
const long = { leaseDurationMs: 120_000, renewIntervalMs: 2_000 } as const;

/** Waits, and is called off when the test ends. */
function waitFor(cluster: Cluster, name: string): void {
  cluster
    .lock(name)
    .acquire()
    .catch(() => undefined);
}

const outages: readonly {
  readonly title: string;
  readonly start: (api: BaseLeaseServer) => FaultHandle;
  readonly words: RegExp;
}[] = [
  {
    title: 'connections are dropped',
    start: ({ faults }) => faults.dropBefore(),
    words: /cannot be reached: .*ECONNRESET/,
  },
  {
    title: 'every answer is a 500',
    start: ({ faults }) => faults.status({ code: 500, message: 'etcd is away' }),
    words: /gives no answer: 500 .*etcd is away$/,
  },
  {
    title: 'every answer is a 429',
    start: ({ faults }) => faults.status({ code: 429, retryAfterSeconds: 30 }),
    words: /gives no answer: 429/,
  },
  {
    title: 'a proxy answers with a page of its own',
    start: ({ faults }) => faults.status({ code: 200, body: '<h1>Please log in</h1>' }),
    words: /the answer is no Lease/,
  },
];

describe('API_UNREACHABLE', () => {
  it.each(outages)('comes once after 5 s when $title, and says why', async ({ start, words }) => {
    await using cluster = await Cluster.start();
    const fault = start(cluster.api);
    waitFor(cluster, 'job');
    await cluster.advance(4_999);
    expect(cluster.warned).toEqual([]);
    await cluster.advance(2);
    const [warning] = cluster.warnings;
    expect(warning?.code).toBe('API_UNREACHABLE');
    expect(warning?.message).toMatch(words);
    const server = cluster.api.url.replaceAll('.', '\\.');
    const begin = `^no usable answer from the API server ${server} for 5 s; still trying; last failure: `;
    expect(warning?.message).toMatch(new RegExp(begin));
    await cluster.advance(54_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    fault.remove();
    await cluster.advance(31_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE', 'API_REACHABLE']);
    expect(cluster.warnings[1]?.message).toMatch(
      /answers again, after \d+ s without a usable answer$/,
    );
  });

  it('comes when nothing answers at all', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.hang();
    waitFor(cluster, 'job');
    await cluster.advance(5_001);
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    expect(cluster.warnings[0]?.cause).toBeInstanceOf(ApiUnreachableError);
  });

  it('comes again with the next outage, in the same words', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('job', long).acquire();
    for (let outage = 1; outage <= 2; outage++) {
      const fault = cluster.api.faults.dropBefore();
      await cluster.advance(10_000);
      fault.remove();
      await cluster.advance(10_000);
    }
    const pair = ['API_UNREACHABLE', 'API_REACHABLE'];
    expect(cluster.warned).toEqual([...pair, ...pair]);
    const [first, , second] = cluster.warnings;
    expect(second?.message).toBe(first?.message);
  });

  it('comes once for all that a client holds and waits for', async () => {
    await using cluster = await Cluster.start();
    for (let n = 0; n < 20; n++) await cluster.lock(`held-${n}`, long).acquire();
    const fault = cluster.api.faults.dropBefore();
    for (let n = 0; n < 20; n++) waitFor(cluster, `wanted-${n}`);
    await cluster.advance(30_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    fault.remove();
    await cluster.advance(10_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE', 'API_REACHABLE']);
  });

  it('names the lock that gets no answer while others do', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('healthy', long).acquire();
    const match = { name: 'broken' };
    const message = 'failed calling webhook';
    const fault = cluster.api.faults.status({ match, code: 500, message });
    waitFor(cluster, 'broken');
    await cluster.advance(30_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    const [begun] = cluster.warnings;
    expect(begun?.message).toContain('lock default/broken: no usable answer from the API server');
    expect(begun?.message).toContain('for 5 s for this Lease, while others are answered; still');
    expect(begun?.message).toContain(message);
    fault.remove();
    await cluster.advance(1_000);
    expect(cluster.warned).toEqual(['API_UNREACHABLE', 'API_REACHABLE']);
    const words = /^lock default\/broken: the API server \S+ answers again, after 30 s without/;
    expect(cluster.warnings[1]?.message).toMatch(words);
  });

  it('names a lock that is left without answers when the server is back for the others', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('healthy', long).acquire();
    cluster.api.faults.dropBefore({ match: { name: 'broken' } });
    const outage = cluster.api.faults.dropBefore();
    waitFor(cluster, 'broken');
    await cluster.advance(10_000);
    outage.remove();
    await cluster.advance(20_000);
    const codes = ['API_UNREACHABLE', 'API_REACHABLE', 'API_UNREACHABLE'];
    expect(cluster.warned).toEqual(codes);
    expect(cluster.warnings[2]?.message).toContain('lock default/broken:');
  });

  it('comes once in an outage whose waits are given up and begun again', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.dropBefore();
    for (let wait = 0; wait < 3; wait++) {
      await cluster.settled(rejection(cluster.lock('job').acquire({ timeoutMs: 8_000 })));
      await cluster.advance(30_000);
    }
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    // Nothing was asked for over a minute: what fails then is told again.
    await cluster.advance(61_000);
    waitFor(cluster, 'job');
    await cluster.advance(5_001);
    expect(cluster.warned).toEqual(['API_UNREACHABLE', 'API_UNREACHABLE']);
  });

  it('comes to elections and to observers', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const options = { client, ...quick, onStartedLeading: () => undefined };
    cluster.api.faults.dropBefore();
    void new Election('crown', options).run().catch(() => undefined);
    await cluster.advance(5_001);
    expect(cluster.warned).toEqual(['API_UNREACHABLE']);
    const looking = new Election('other', { ...options, client: cluster.client() }).observe();
    looking.next().catch(() => undefined);
    await cluster.advance(5_001);
    expect(cluster.warned).toEqual(['API_UNREACHABLE', 'API_UNREACHABLE']);
  });

  it('does not come beside the error of a tryAcquire that gives up', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.dropBefore();
    await cluster.settled(rejection(cluster.lock('job').tryAcquire()));
    await cluster.advance(10_000);
    expect(cluster.warned).toEqual([]);
  });

  it('does not come for what waits in the own queue of a busy client', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.delay({ responseMs: 500 });
    for (let n = 0; n < 60; n++) waitFor(cluster, `job-${n}`);
    await cluster.advance(60_000);
    expect(cluster.warned.filter((code) => code.startsWith('API_'))).toEqual([]);
  });

  it('does not come for a refusal, which is an answer', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('job', long).acquire();
    cluster.api.faults.forbid({ verb: 'update' });
    await cluster.advance(30_000);
    expect(cluster.warned).toEqual(['ACCESS_LOST']);
  });
});

describe('client.check', () => {
  it('reports an outage as information', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    await cluster.lock('held', { client, ...long }).acquire();
    const fault = cluster.api.faults.dropBefore();
    cluster
      .lock('wanted', { client })
      .acquire()
      .catch(() => undefined);
    await cluster.advance(4_999);
    expect(client.check()).toEqual({ ok: true, overruns: [], outage: null });
    await cluster.advance(5_001);
    const { ok, outage } = client.check();
    expect(ok).toBe(true);
    expect(outage).toEqual({
      server: cluster.api.url,
      sinceMs: 10_000,
      leases: ['default/held', 'default/wanted'],
      lastFailure: expect.stringContaining('ECONNRESET'),
    });
    fault.remove();
    await cluster.advance(2_000);
    expect(client.check()).toEqual({ ok: true, overruns: [], outage: null });
  });

  it('reports no outage of what is not waited for any more', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    cluster.api.faults.dropBefore();
    const wait = rejection(cluster.lock('job', { client }).acquire({ timeoutMs: 20_000 }));
    await cluster.advance(10_000);
    expect(client.check().outage?.leases).toEqual(['default/job']);
    await cluster.advance(10_000);
    expect(await wait).toMatchObject({ code: 'ERR_ACQUIRE_TIMEOUT' });
    expect(client.check().outage).toBeNull();
  });
});
