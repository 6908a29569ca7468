// Many waits in one process: they cost the API server nothing, starve nobody, and never hold up a renewal.
import { expect, it } from '@jest/globals';
import { LeaseClient, Lock, diagnosticsChannels, type EventMessage } from '@metaparticle/sync';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLeaseServer } from '../../../src/testing/index.js';

const HOLDING = { leaseDurationMs: 8_000, renewIntervalMs: 2_000, marginMs: 1_000 };
const BELIEF_MS = 6_950;

it('ten thousand waits for a hundred names ask for nothing; who waits elsewhere gets his turn', async () => {
  const api = await startLeaseServer();
  const crowd = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'crowd' });
  const other = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'other' });
  try {
    const names = Array.from({ length: 100 }, (_, n) => `name-${n}`);
    const locks = names.map((name) => new Lock(name, { client: crowd }));
    const held = await Promise.all(locks.map((lock) => lock.acquire()));
    let isServed = false;
    const waits = locks.flatMap((lock) =>
      Array.from({ length: 100 }, async () => {
        // There is always somebody here who wants it next.
        do await lock.withLock(() => sleep(10));
        while (!isServed);
      }),
    );
    const done = Promise.allSettled(waits);
    const lock = new Lock('name-0', { client: other });
    const turn = lock.acquire({ timeoutMs: 60_000 });
    await sleep(1_500);
    api.requests.reset();
    await sleep(3_000);
    const { counts, total } = api.requests;
    // Who has just come does not know the holder's rhythm yet: he may look once more, and open his watch anew.
    expect(total - counts.update).toBeLessThanOrEqual(4);
    expect(counts.update).toBeLessThanOrEqual(200);
    expect(held.every((handle) => handle.isHeld())).toBe(true);

    await held[0]?.release();
    const handle = await turn;
    expect(handle.isHeld()).toBe(true);
    isServed = true;
    await handle.release();
    await crowd.close();
    await done;
  } finally {
    await Promise.all([crowd.close(), other.close()]);
    await api.close();
  }
}, 120_000);

it('holders that take all that the server gives keep nobody from letting go, or from getting on', async () => {
  const api = await startLeaseServer();
  const client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'one' });
  try {
    const names = Array.from({ length: 60 }, (_, n) => `held-${n}`);
    const held = await Promise.all(names.map((name) => new Lock(name, { client }).acquire()));
    // Thirty renewals a second are due by the defaults; over two connections twenty get through.
    api.faults.delay({ responseMs: 100 });
    await sleep(4_000);
    const begun = performance.now();
    await held[0]?.release();
    const handle = await new Lock('another', { client }).tryAcquire();
    expect(handle?.isHeld()).toBe(true);
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(api.leases.get('default', 'held-0')?.spec.holderIdentity).toBe('');
    const least = Math.min(...held.slice(1).map((one) => one.remainingMs()));
    expect(least).toBeGreaterThan(5_000);
  } finally {
    api.faults.clear();
    await client.close();
    await api.close();
  }
}, 60_000);

it('a burst of acquisitions goes behind renewals', async () => {
  const api = await startLeaseServer();
  // What a server does that is busy.
  api.faults.delay({ responseMs: 25 });
  const client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'one' });
  const leftMs: number[] = [];
  const listen = (message: unknown): void => {
    const { event, before, after, detail } = message as EventMessage;
    if (event !== 'sent' || before !== 'holding' || after !== 'holding') return;
    const was = (detail as { before: { heldUntil: number } }).before;
    leftMs.push(was.heldUntil - performance.now());
  };
  try {
    const names = Array.from({ length: 20 }, (_, n) => `held-${n}`);
    const held = await Promise.all(
      names.map((name) => new Lock(name, { client, ...HOLDING }).acquire()),
    );
    subscribe(diagnosticsChannels.event, listen);
    const stop = new AbortController();
    const { signal } = stop;
    const slow = { leaseDurationMs: 60_000, renewIntervalMs: 20_000 };
    const burst = Array.from({ length: 1_000 }, (_, n) =>
      new Lock(`burst-${n}`, { client, ...slow }).acquire({ signal }).catch(() => null),
    );
    await sleep(6_000);
    unsubscribe(diagnosticsChannels.event, listen);
    expect(held.filter((handle) => !handle.isHeld())).toHaveLength(0);
    // They leave when a third is used up; a busy machine may be late by as much again.
    expect(Math.min(...leftMs)).toBeGreaterThan(BELIEF_MS / 3);
    expect(leftMs.length).toBeGreaterThan(40);
    stop.abort();
    await client.close();
    await Promise.all(burst);
  } finally {
    await client.close();
    await api.close();
  }
}, 60_000);
