import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Election, InvalidOptionError, LeaseClient, Lock } from '@metaparticle/sync';
import { startLeaseServer, type LeaseServer } from '../../../src/testing/index.js';
import { rejection, until } from '../../support/promises.js';

const QUICK = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
let api: LeaseServer;
let client: LeaseClient;
beforeAll(async () => {
  api = await startLeaseServer();
  client = new LeaseClient({ kubeConfig: api.kubeConfig });
});
afterAll(async () => {
  await client.close();
  await api.close();
});

describe('client.check', () => {
  it('is ok while work runs under its lease, and while work that lost it winds down', async () => {
    let end: (() => void) | null = null;
    const lock = new Lock('heeds', { client, ...QUICK });
    const run = lock.withLock(() => new Promise<void>((resolve) => (end = resolve)));
    await until('the work', () => end !== null, 5_000);
    expect(client.check({ toleranceMs: 0 })).toEqual({ ok: true, overruns: [] });
    api.leases.delete('default', 'heeds');
    await until('the loss', () => !client.check({ toleranceMs: 0 }).ok, 5_000);
    expect(client.check()).toEqual({ ok: true, overruns: [] });
    end!();
    expect(await rejection(run)).toMatchObject({ reason: 'deleted' });
    expect(client.check({ toleranceMs: 0 })).toEqual({ ok: true, overruns: [] });
  });

  it('names the leading callback that goes on although its lease was lost', async () => {
    let end: () => void = () => undefined;
    const stop = new AbortController();
    const election = new Election('deaf', {
      ...{ client, ...QUICK },
      onStartedLeading: () => new Promise<void>((resolve) => (end = resolve)),
    });
    const run = election.run({ signal: stop.signal });
    await until('a leader', () => election.isLeader(), 5_000);
    expect(client.check({ toleranceMs: 0 }).ok).toBe(true);
    api.leases.delete('default', 'deaf');
    await until('an overrun', () => !client.check({ toleranceMs: 200 }).ok, 5_000);
    const { overruns } = client.check({ toleranceMs: 200 });
    expect(overruns).toEqual([{ lease: 'default/deaf', sinceMs: expect.any(Number) }]);
    expect(overruns[0]?.sinceMs).toBeGreaterThan(200);
    stop.abort();
    end();
    await run;
    expect(client.check({ toleranceMs: 0 }).ok).toBe(true);
  });

  it('refuses what is no duration', () => {
    expect(() => client.check({ toleranceMs: -1 })).toThrow(InvalidOptionError);
    expect(() => client.check({ tolerance: 1 } as never)).toThrow('is not an option');
  });
});
