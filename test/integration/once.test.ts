import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFull, print } from './workers/figures.js';
import type { HolderCalls } from './workers/holder.js';
import { tellEverywhere } from './workers/story.js';
import type { Story } from './workers/story.js';
import { now } from './workers/time.js';
import type { TryResult } from './workers/try.js';

/** The defaults, or the shortest that leave room for a missed renewal. */
const TIMINGS = isFull
  ? { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 }
  : { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const EVERY_MS = 5_000;
const BOUND_MS = 2 * TIMINGS.leaseDurationMs + 15_000;
/** A process that has tried has nothing to stay for. */
const RUN_LIMIT_MS = 15_000;

/** One process from its start to its end. */
async function tryOnce({ cluster, crew }: Story): Promise<TryResult> {
  const settings = { name: 'job', options: TIMINGS };
  return JSON.parse(await crew.run('try', cluster, settings, RUN_LIMIT_MS)) as TryResult;
}

tellEverywhere(
  `Trying once, in a new process every ${EVERY_MS / 1000} s: one gets the lock of a killed holder`,
  BOUND_MS + 60_000,
  async (of) => {
    const holder = await of.crew.start<HolderCalls>('holder', of.cluster, { options: TIMINGS });
    const { token } = await holder.call('acquire', 'job');
    expect(await tryOnce(of)).toMatchObject({ token: null });
    await holder.kill();
    const killedAt = now();
    let result: TryResult = { token: null, at: killedAt };
    let tries = 0;
    while (result.token === null && result.at - killedAt < BOUND_MS) {
      await sleep(Math.max(0, killedAt + ++tries * EVERY_MS - now()));
      result = await tryOnce(of);
    }
    const took = result.at - killedAt;
    const figures = `process ${tries} got it ${(took / 1000).toFixed(1)} s after the kill`;
    print('once', of.cluster, `${figures}; the lease is ${TIMINGS.leaseDurationMs} ms`);
    expect(BigInt(result.token ?? 0)).toBeGreaterThan(token);
    expect(took).toBeLessThanOrEqual(BOUND_MS);
    expect(took).toBeGreaterThanOrEqual(TIMINGS.leaseDurationMs - TIMINGS.marginMs);
  },
);
