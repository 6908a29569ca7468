import { afterAll, afterEach, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeEachCluster } from './cluster.js';
import { Crew } from './workers/crew.js';
import { isFull, ms, percentile, print } from './workers/figures.js';
import type { HolderCalls } from './workers/holder.js';
import { Observer } from './workers/observer.js';

/** The defaults, or the shortest that leave room for a missed renewal. */
const TIMINGS = isFull
  ? { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 }
  : { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const ROUNDS = isFull ? 10 : 1;
const ROUND_LIMIT_MS = 2 * TIMINGS.leaseDurationMs + 30_000;
/** Until the next in line listens. */
const SETTLING_MS = 1_000;

describeEachCluster('Crash', (getCluster) => {
  const crew = new Crew();
  let observer: Observer | undefined;
  afterEach(() => observer?.close());
  afterAll(() => crew.disband());

  /** From the last commit of the one who was killed to the acquisition by the next. */
  const takeovers = async (seen: Observer): Promise<number[]> => {
    const start = () => crew.start<HolderCalls>('holder', getCluster(), { options: TIMINGS });
    let holder = await start();
    let { token } = await holder.call('acquire', 'job');
    const took: number[] = [];
    while (took.length < ROUNDS) {
      const next = await start();
      const acquired = next.call('acquire', 'job', ROUND_LIMIT_MS);
      await sleep(SETTLING_MS + Math.random() * TIMINGS.renewIntervalMs);
      await holder.kill();
      const { at, token: nextToken } = await acquired;
      expect(nextToken).toBeGreaterThan(token);
      const changes = seen.of('job');
      const last =
        changes[changes.findLastIndex(({ transitions }) => transitions <= took.length + 1)];
      took.push(at - (last?.at ?? NaN));
      [holder, token] = [next, nextToken];
    }
    return took;
  };

  it(
    `SIGKILL of the holder, ${ROUNDS} times: the next one within the lease's duration + 1 s`,
    async () => {
      observer = await Observer.open(getCluster());
      const took = await takeovers(observer);
      const [least, most] = [Math.min(...took), Math.max(...took)];
      const figures = `p50 ${ms(percentile(took, 0.5))}, ${ms(least)} to ${ms(most)}`;
      const { leaseDurationMs, marginMs } = TIMINGS;
      print('crash', getCluster(), `n=${ROUNDS}, ${figures}; the lease is ${leaseDurationMs} ms`);
      expect(most).toBeLessThanOrEqual(leaseDurationMs + 1_000);
      expect(least).toBeGreaterThanOrEqual(leaseDurationMs - marginMs);
    },
    ROUNDS * ROUND_LIMIT_MS + 60_000,
  );
});
