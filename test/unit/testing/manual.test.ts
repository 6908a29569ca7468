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
  client = clientOf('me');
});

function clientOf(identity: string): LeaseClient {
  return new LeaseClient({ kubeConfig: api.kubeConfig, identity, onWarning: () => undefined });
}

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
    const holder = clientOf('holder');
    const handle = await new Lock('job', { client: holder }).acquire();
    const outage = api.faults.hang({ match: { user: 'admin', verb: 'update' } });
    const waiting = new Lock('job', { client }).acquire();
    await api.advanceUntil(() => handle.signal.aborted);
    expect(api.now).toBe(12_950);
    outage.remove();
    const taken = await api.advanceUntil(waiting);
    expect(Math.floor(api.now / 1_000)).toBe(15);
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
      'the condition does not hold after 0 ms of virtual time: no timer is left',
    );
    await new Lock('job', { client }).acquire();
    await expect(api.advanceUntil(() => false, { limitMs: 30_000 })).rejects.toThrow(
      /^advanceUntil: the condition does not hold after 30000 ms .*: the limit is 30000 ms$/,
    );
    expect(api.now).toBe(30_000);
    const pending = new Promise<never>(() => undefined);
    await expect(api.advanceUntil(pending, { limitMs: 1_000 })).rejects.toThrow(
      'the promise is pending after 1000 ms',
    );
  });

  it.each<[string, (server: ManualLeaseServer) => unknown]>([
    ['advance: ms must be a finite number', (server) => server.advance(-1)],
    ['advance: ms must be a finite number', (server) => server.advance(NaN)],
    ['advance: ms must be a finite number', (server) => server.advance(Infinity)],
    ['advance: ms must be a finite number', (server) => server.advance('5' as never)],
    ['advance: ms must be a finite number', (server) => server.advance(undefined as never)],
    ['sleep: ms must be a finite number', (server) => server.sleep(-1)],
    ['block: ms must be a finite number', (server) => server.block(-1)],
    ['suspend: ms must be a finite number', (server) => server.suspend(NaN)],
    ['limitMs must be a finite', (server) => server.advanceUntil(() => true, { limitMs: NaN })],
    [
      'limitMs must be a finite',
      (server) => server.advanceUntil(() => true, { limitMs: 'x' as never }),
    ],
    ['limit is not an option', (server) => server.advanceUntil(() => true, { limit: 5 } as never)],
    ['got -1', (server) => server.advance(-1)],
    ['got NaN', (server) => server.advance(NaN)],
  ])('says "%s" for bad input', (message, call) => {
    expect(() => call(api)).toThrow(TypeError);
    expect(() => call(api)).toThrow(message);
    expect(api.now).toBe(0);
  });

  it.each(['x', 1.5, NaN, null])('refuses the seed %p', (seed) => {
    expect(() => startLeaseServer({ clock: 'manual', seed } as never)).toThrow(
      'seed must be a whole number',
    );
  });

  it('refuses a bookmark interval that is none', () => {
    for (const bookmarkIntervalMs of [0, -1, NaN]) {
      const options = { clock: 'manual', bookmarkIntervalMs } as const;
      expect(() => startLeaseServer(options)).toThrow('bookmarkIntervalMs must be a finite number');
    }
  });

  it('blocks the event loop: the handle no longer counts as held, before any timer has fired', async () => {
    const handle = await new Lock('job', { client }).acquire();
    api.block(handle.remainingMs() - 1);
    expect([handle.isHeld(), handle.signal.aborted]).toEqual([true, false]);
    api.block(1);
    expect(handle.signal.aborted).toBe(false);
    expect([handle.isHeld(), handle.signal.aborted]).toEqual([false, true]);
    expect(handle.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
  });

  it('suspends the machine: the handle is no longer held afterwards', async () => {
    const handle = await new Lock('job', { client }).acquire();
    const before = api.date.getTime();
    api.suspend(13_000);
    expect(handle.isHeld()).toBe(false);
    expect([api.now, api.date.getTime() - before]).toEqual([0, 13_000]);
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

  it('cancels a timer from within another one that is due at the same time', async () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.after(10, () => {
      fired.push('first');
      cancel();
    });
    const cancel = clock.after(10, () => fired.push('second'));
    expect(clock.timers).toBe(2);
    await clock.advance(10);
    expect(fired).toEqual(['first']);
    expect(clock.timers).toBe(0);
  });

  it('carries out moves that overlap one after the other', async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const moves = [10, 20, 30].map(async (ms) => {
      await clock.advance(ms);
      seen.push(clock.monotonic());
    });
    await Promise.all(moves);
    expect(seen).toEqual([10, 30, 60]);
  });

  it('fires what became due while the event loop was blocked at the next move, in order', async () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    for (const ms of [20, 10, 40]) {
      clock.after(ms, () => fired.push(`${ms} at ${clock.monotonic()}`));
    }
    clock.block(30);
    expect(fired).toEqual([]);
    await clock.advance(10);
    expect(fired).toEqual(['10 at 30', '20 at 30', '40 at 40']);
  });

  it('goes on by the wall clock alone while the machine is suspended', async () => {
    const clock = new ManualClock();
    const before = clock.now();
    let fired = 0;
    clock.after(1_000, () => fired++);
    clock.suspend(5_000);
    await clock.advance(999);
    expect(fired).toBe(0);
    const after = clock.now();
    expect(after.monotonic - before.monotonic).toBe(999);
    expect(after.elapsed - before.elapsed).toBe(5_999);
    expect(after.wall - before.wall).toBe(5_999);
  });

  it.each([NaN, -5, 0])(
    'takes a delay of %p ms for the shortest, as setTimeout does',
    async (ms) => {
      const clock = new ManualClock();
      const fired: number[] = [];
      clock.after(ms, () => fired.push(clock.monotonic()));
      await clock.advance(5);
      expect(fired).toEqual([1]);
    },
  );

  it('never fires a timer of infinite length', async () => {
    const clock = new ManualClock();
    clock.after(Infinity, () => expect('fired').toBe('never'));
    await clock.advance(1e15);
    await expect(clock.advanceUntil(() => false, { limitMs: 5 })).rejects.toThrow('limit is 5 ms');
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
