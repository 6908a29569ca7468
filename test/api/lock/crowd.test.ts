// Many waits: they cost the API server nothing, starve no process, and never hold up a renewal.
import { describe, expect, it } from '@jest/globals';
import { Lock, diagnosticsChannels, type EventMessage } from '@metaparticle/sync';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Cluster } from '../../support/cluster.js';
import { seededRandom } from '../../../src/testing/random.js';

/** A request takes from 5 to 9 ms: without such differences the same of two that compete would always be first. */
function varyLatency({ api }: Cluster): void {
  const random = seededRandom(1);
  api.faults.delay({ requestMs: 2, responseMs: 3 });
  for (let n = 0; n < 4; n++) {
    api.faults.delay({ match: () => random() < 0.5, requestMs: 1 });
  }
}

describe('ten thousand waits in one process, for a hundred names,', () => {
  it('ask for nothing, and a process that waits elsewhere gets its turn', async () => {
    await using cluster = await Cluster.start();
    const crowd = cluster.client({ identity: 'crowd' });
    const locks = Array.from({ length: 100 }, (_, n) => new Lock(`name-${n}`, { client: crowd }));
    const held = await Promise.all(locks.map((lock) => lock.acquire()));
    let isServed = false;
    const waits = locks.flatMap((lock) =>
      Array.from({ length: 100 }, async () => {
        // There is always one here that wants it next.
        do await lock.withLock(() => cluster.api.sleep(10));
        while (!isServed);
      }),
    );
    const done = Promise.allSettled(waits);
    const turn = new Lock('name-0', { client: cluster.client({ identity: 'other' }) }).acquire();
    await cluster.advance(0);
    cluster.api.requests.reset();
    await cluster.advance(10_000);
    const { counts, total } = cluster.api.requests;
    // Nothing but the renewals of what is held, one each 2 s.
    expect({ total, update: counts.update }).toEqual({ total: 500, update: 500 });
    expect(held.every((handle) => handle.isHeld())).toBe(true);

    varyLatency(cluster);
    const releasing = held[0]?.release();
    const handle = await cluster.settled(turn, { limitMs: 10_000 });
    expect(handle.isHeld()).toBe(true);
    isServed = true;
    await cluster.settled(Promise.all([releasing, handle.release()]));
    await cluster.settled(crowd.close());
    await done;
  });
});

describe('ten processes that want one lock all the time', () => {
  it('have like shares of it, and write less than one claim in vain for each hand-off', async () => {
    await using cluster = await Cluster.start();
    varyLatency(cluster);
    const holders: string[] = [];
    const work = Array.from({ length: 10 }, async (_, n) => {
      const lock = cluster.elsewhere('job', `pod-${n}`);
      while (holders.length < 300) {
        const handle = await lock.acquire();
        holders.push(cluster.holder('job') ?? '');
        await cluster.api.sleep(10);
        await handle.release();
      }
    });
    await cluster.settled(Promise.all(work));
    for (let n = 0; n < 10; n++) {
      // An equal share is 30.
      expect(holders.filter((holder) => holder === `pod-${n}`).length).toBeGreaterThanOrEqual(15);
    }
    const inVain = cluster.api.requests.count({ verb: 'update' }) - 2 * holders.length;
    expect(inVain).toBeLessThan(holders.length);
  });
});

describe('holders that take all that the API server gives', () => {
  it('keep no other from letting go, and no other acquisition from getting on', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({ identity: 'one' });
    const names = Array.from({ length: 60 }, (_, n) => `held-${n}`);
    const held = await Promise.all(names.map((name) => new Lock(name, { client }).acquire()));
    // Thirty renewals a second are due by the defaults; over two connections twenty get through.
    cluster.api.faults.delay({ responseMs: 100 });
    await cluster.advance(20_000);
    // Each request waits for at most three that are more urgent: two at a time, so for 200 ms, and takes 100.
    expect(await cluster.elapsed(held[0]!.release())).toBeLessThanOrEqual(300);
    const call = new Lock('another', { client }).tryAcquire();
    // A look, a creation and a claim.
    expect(await cluster.elapsed(call)).toBeLessThanOrEqual(3 * 400);
    expect((await call)?.isHeld()).toBe(true);
    expect(cluster.holder('held-0')).toBe('');
    const least = Math.min(...held.slice(1).map((one) => one.remainingMs()));
    // Sixty renewals take 3 s, so that each is late by a second.
    expect(least).toBeGreaterThan(9_000);
  });
});

describe('a burst of five hundred acquisitions', () => {
  it('goes behind the renewals of what is held, and all of it is served', async () => {
    await using cluster = await Cluster.start();
    // What a server does that is busy.
    cluster.api.faults.delay({ responseMs: 25 });
    const client = cluster.client({ identity: 'one' });
    const timings = { leaseDurationMs: 8_000, renewIntervalMs: 2_000, marginMs: 1_000 };
    const names = Array.from({ length: 20 }, (_, n) => `held-${n}`);
    const held = await cluster.settled(
      Promise.all(names.map((name) => new Lock(name, { client, ...timings }).acquire())),
    );
    const leftMs: number[] = [];
    const listen = (message: unknown): void => {
      const { lease, event, before, after, detail } = message as EventMessage;
      if (!lease.includes('held') || event !== 'sent') return;
      if (before !== 'holding' || after !== 'holding') return;
      const was = (detail as { before: { heldUntil: number } }).before;
      leftMs.push(was.heldUntil - cluster.now);
    };
    subscribe(diagnosticsChannels.event, listen);
    const slow = { leaseDurationMs: 60_000, renewIntervalMs: 20_000 };
    const burst = Array.from({ length: 500 }, (_, n) =>
      new Lock(`burst-${n}`, { client, ...slow }).acquire(),
    );
    const begunAt = cluster.now;
    const served = await cluster.settled(Promise.all(burst));
    unsubscribe(diagnosticsChannels.event, listen);
    expect([...held, ...served].every((handle) => handle.isHeld())).toBe(true);
    // Each of the twenty each 2 s, with 6 950 − 2 000 ms left; never later than by a tenth of a second.
    const renewals = 20 * Math.floor((cluster.now - begunAt) / 2_000);
    expect(leftMs.length).toBeGreaterThan(0.95 * renewals);
    expect(Math.max(...leftMs)).toBe(4_950);
    expect(Math.min(...leftMs)).toBeGreaterThanOrEqual(4_850);
  });
});
