import { describe, expect, it } from '@jest/globals';
import { Election, InvalidOptionError } from '@metaparticle/sync';
import { rejection } from '../../support/promises.js';
import { Cluster, quick } from '../../support/cluster.js';

describe('client.check', () => {
  it('is ok while work runs under its lease, and for a while after the work has lost it', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const run = rejection(
      cluster.lock('heeds', { client }).withLock(() => cluster.api.sleep(60_000)),
    );
    await cluster.advance(10_000);
    expect(client.check({ toleranceMs: 0 })).toEqual({ ok: true, overruns: [], outage: null });
    cluster.api.leases.delete('default', 'heeds');
    await cluster.advance(20_000);
    // The default tolerance: as much as Kubernetes’ own controllers have.
    expect(client.check()).toEqual({ ok: true, overruns: [], outage: null });
    await cluster.advance(1);
    const overruns = [{ lease: 'default/heeds', sinceMs: 20_001 }];
    expect(client.check()).toEqual({ ok: false, overruns, outage: null });
    expect(client.check({ toleranceMs: 20_001 }).ok).toBe(true);
    expect(client.check({ toleranceMs: 0 })).toEqual({ ok: false, overruns, outage: null });
    await cluster.advance(30_000);
    expect(await run).toMatchObject({ reason: 'deleted' });
    expect(client.check({ toleranceMs: 0 })).toEqual({ ok: true, overruns: [], outage: null });
  });

  it('names the leading callback that goes on although its lease was lost', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    const stop = new AbortController();
    const election = new Election('deaf', {
      ...{ client, ...quick },
      onStartedLeading: () => cluster.api.sleep(10_000),
    });
    const run = election.run({ signal: stop.signal });
    await cluster.until('a leader', () => election.isLeader());
    expect(client.check({ toleranceMs: 0 }).ok).toBe(true);
    await cluster.advance(1_500);
    cluster.api.leases.delete('default', 'deaf');
    await cluster.advance(250);
    expect(client.check({ toleranceMs: 200 })).toEqual({
      ok: false,
      overruns: [{ lease: 'default/deaf', sinceMs: 250 }],
      outage: null,
    });
    stop.abort();
    // Work that was told of a loss is not waited for; it is still to be seen here.
    await run;
    expect(client.check({ toleranceMs: 200 }).ok).toBe(false);
    await cluster.advance(10_000);
    expect(client.check({ toleranceMs: 0 }).ok).toBe(true);
  });

  it('refuses what is no duration', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client();
    expect(() => client.check({ toleranceMs: -1 })).toThrow(InvalidOptionError);
    expect(() => client.check({ tolerance: 1 } as never)).toThrow('is not an option');
  });
});
