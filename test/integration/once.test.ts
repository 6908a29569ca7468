import { afterAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeEachCluster } from './cluster.js';
import { Crew } from './workers/crew.js';
import { isFull, print } from './workers/figures.js';
import type { HolderCalls } from './workers/holder.js';
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

describeEachCluster('Trying once', (getCluster) => {
  const crew = new Crew();
  afterAll(() => crew.disband());

  /** One process from its start to its end. */
  const tryOnce = async (): Promise<TryResult> => {
    const settings = { name: 'job', options: TIMINGS };
    return JSON.parse(await crew.run('try', getCluster(), settings, RUN_LIMIT_MS)) as TryResult;
  };

  it(
    `a process every ${EVERY_MS / 1000} s gets the lock of a killed one in time`,
    async () => {
      const holder = await crew.start<HolderCalls>('holder', getCluster(), { options: TIMINGS });
      const { token } = await holder.call('acquire', 'job');
      expect(await tryOnce()).toMatchObject({ token: null });
      await holder.kill();
      const killedAt = now();
      let result: TryResult = { token: null, at: killedAt };
      let tries = 0;
      while (result.token === null && result.at - killedAt < BOUND_MS) {
        await sleep(Math.max(0, killedAt + ++tries * EVERY_MS - now()));
        result = await tryOnce();
      }
      const took = result.at - killedAt;
      const figures = `process ${tries} got it ${(took / 1000).toFixed(1)} s after the kill`;
      print('once', getCluster(), `${figures}; the lease is ${TIMINGS.leaseDurationMs} ms`);
      expect(BigInt(result.token ?? 0)).toBeGreaterThan(token);
      expect(took).toBeLessThanOrEqual(BOUND_MS);
      expect(took).toBeGreaterThanOrEqual(TIMINGS.leaseDurationMs - TIMINGS.marginMs);
    },
    BOUND_MS + 60_000,
  );
});
