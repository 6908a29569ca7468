import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseClient, Lock } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { ManualLeaseServer } from '@metaparticle/sync/testing';
import type { Simulation } from '../../../src/lease/kube/simulation.js';
import { simulationOf } from '../../../src/lease/kube/simulation.js';
import { MemoryWire } from '../../../src/testing/memory.js';
import { ManualClock } from '../../../src/testing/clock.js';

let api: ManualLeaseServer;
let client: LeaseClient;

beforeEach(async () => {
  api = await startLeaseServer({ clock: 'manual' });
  client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'me' });
});

afterEach(async () => {
  api.resume();
  await api.advanceUntil(client.close());
  await api.close();
});

describe('a server with a manual clock', () => {
  it('answers without any time passing', async () => {
    const handle = await new Lock('job', { client }).acquire();
    expect(api.leases.get('default', 'job')?.spec.holderIdentity).toBe('me');
    expect(await handle.release()).toBe(true);
    expect(api.now).toBe(0);
  });

  it('renews a lock for as long as the clock moves', async () => {
    const handle = await new Lock('job', { client }).acquire();
    api.requests.reset();
    await api.advance(60_000);
    expect(handle.isHeld()).toBe(true);
    expect(api.requests.counts).toMatchObject({ update: 30, get: 0 });
  });

  it('lets a lease of 15 s run out in no time', async () => {
    const holder = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'holder' });
    const handle = await new Lock('job', { client: holder }).acquire();
    const outage = api.faults.hang({ match: { user: 'admin', verb: 'update' } });
    const waiting = new Lock('job', { client }).acquire();
    await api.advanceUntil(() => handle.signal.aborted);
    expect(api.now).toBeGreaterThan(12_000);
    expect(api.now).toBeLessThan(13_000);
    outage.remove();
    const taken = await api.advanceUntil(waiting);
    expect(api.now).toBeGreaterThan(15_000);
    expect(taken.fencingToken).toBeGreaterThan(handle.fencingToken);
    await api.advanceUntil(holder.close());
  });

  it('has the same history in every run of the same seed', async () => {
    const history = async (): Promise<unknown> => {
      await using twin = await startLeaseServer({ clock: 'manual', seed: 7 });
      const clients = ['a', 'b', 'c'].map(
        (identity) => new LeaseClient({ kubeConfig: twin.kubeConfig, identity }),
      );
      const work = clients.map(async (one) => {
        for (let round = 0; round < 5; round++) {
          await new Lock('job', { client: one }).withLock(() => twin.sleep(100));
        }
      });
      await twin.advanceUntil(Promise.all(work));
      await twin.advanceUntil(Promise.all(clients.map((one) => one.close())));
      return twin.requests.log.map(({ at, verb, status }) => `${at} ${verb} ${String(status)}`);
    };
    expect(await history()).toEqual(await history());
  });

  it('says what it waited for in vain, and for how long', async () => {
    await expect(api.advanceUntil(() => false)).rejects.toThrow(
      'has not happened after 0 ms of virtual time: no timer is left',
    );
    await new Lock('job', { client }).acquire();
    await expect(api.advanceUntil(() => false, { limitMs: 30_000 })).rejects.toThrow(
      'the limit is 30000 ms',
    );
  });

  it('refuses what only a server on a port has', () => {
    expect(() => startLeaseServer({ clock: 'manual', port: 1 } as never)).toThrow(
      'port is not an option',
    );
    expect(() => startLeaseServer({ clock: 'quartz' } as never)).toThrow(
      'clock must be one of system, manual',
    );
  });

  it('breaks what is under way when it is closed, and refuses what comes', async () => {
    api.pause();
    const waiting = new Lock('job', { client }).tryAcquire();
    await api.advance(100);
    await api.close();
    await expect(api.advanceUntil(waiting)).rejects.toMatchObject({
      code: 'ERR_API_UNREACHABLE',
    });
  });
});

describe('a manual clock', () => {
  it('fires in order of time, and first come first served at one moment', async () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    for (const [name, ms] of [
      ['late', 20],
      ['first', 10],
      ['second', 10],
      ['never', 30],
    ] as const) {
      const cancel = clock.after(ms, () => fired.push(`${name} at ${clock.monotonic()}`));
      if (name === 'never') cancel();
    }
    await clock.advance(100);
    expect(fired).toEqual(['first at 10', 'second at 10', 'late at 20']);
    expect(clock.monotonic()).toBe(100);
  });

  it('lets everything that follows from one moment happen before the next', async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const chain = async (): Promise<void> => {
      for (let step = 0; step < 3; step++) await clock.sleep(10);
      await Promise.resolve();
      seen.push(clock.monotonic());
    };
    void chain();
    clock.after(31, () => seen.push(clock.monotonic()));
    await clock.advance(50);
    expect(seen).toEqual([30, 31]);
  });

  it('is not held up by a timer of no length that sets itself again', async () => {
    const clock = new ManualClock();
    let rings = 0;
    const ring = (): void => {
      rings++;
      clock.after(0, ring);
    };
    ring();
    await clock.advance(10);
    expect(rings).toBe(11);
  });
});

describe('what a kubeConfig of such a server brings along', () => {
  it('has the shapes of the ports of the library', () => {
    const wire: Simulation['wire'] = new MemoryWire(() => undefined);
    const clock: Simulation['clock'] = new ManualClock();
    expect(simulationOf(api.kubeConfig)).toMatchObject({
      wire: expect.any(MemoryWire),
      clock: expect.any(ManualClock),
    });
    expect([wire, clock]).toHaveLength(2);
  });
});
