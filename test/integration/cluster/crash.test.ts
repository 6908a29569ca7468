import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, ms, percentile, print } from '../../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../../tools/harness/processes/holder.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testOnAllClusters } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { TryResult } from '../../../tools/harness/processes/try.js';

/** The defaults, or the shortest that leave room for a missed renewal. */
const TIMINGS = isFull
  ? { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 }
  : { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const ROUNDS = isFull ? 10 : 1;
const ROUND_LIMIT_MS = 2 * TIMINGS.leaseDurationMs + 30_000;
/** Until the next in line listens, and has seen a renewal: it counts from what it saw itself. */
const SETTLING_MS = TIMINGS.renewIntervalMs + 500;
const EVERY_MS = isFull ? 5_000 : 2_000;
const TRY_BOUND_MS = 2 * TIMINGS.leaseDurationMs + 15_000;
/** A process that has tried has nothing to stay for. */
const TRY_LIMIT_MS = 15_000;

/** From the last commit of each one who was killed to the acquisition by the next. */
async function takeovers({ cluster, pool }: TestBed, probe: WatchProbe): Promise<number[]> {
  const start = (): Promise<Worker<HolderCalls>> =>
    pool.spawn('holder', cluster, { options: TIMINGS });
  let holder = await start();
  let { token } = await holder.call('acquire', 'job');
  const took: number[] = [];
  while (took.length < ROUNDS) {
    const next = await start();
    // Having used its connection once, it takes no second to listen.
    await next.call('rounds', { name: 'warm-up', count: 1 });
    const acquired = next.call('acquire', 'job', ROUND_LIMIT_MS);
    await sleep(SETTLING_MS + Math.random() * TIMINGS.renewIntervalMs);
    await holder.kill();
    const { at, token: nextToken } = await acquired;
    expect(nextToken).toBeGreaterThan(token);
    const ofKilled = probe.of('job').filter(({ transitions }) => transitions === took.length + 1);
    took.push(at - (ofKilled.at(-1)?.at ?? NaN));
    [holder, token] = [next, nextToken];
  }
  return took;
}

testOnAllClusters(
  `SIGKILL of the holder, ${ROUNDS} times: the next one within the lease's duration and a second`,
  ROUNDS * ROUND_LIMIT_MS + 60_000,
  async (of) => {
    const probe = await WatchProbe.open(of.cluster);
    const took = await takeovers(of, probe).finally(() => probe.close());
    const [least, most] = [Math.min(...took), Math.max(...took)];
    const { leaseDurationMs, marginMs } = TIMINGS;
    const late = took.map((each) => (each - leaseDurationMs).toFixed(0)).join(', ');
    const figures = `n=${ROUNDS}, p50 ${ms(percentile(took, 0.5))}, at most ${ms(most)}`;
    print('crash', of.cluster, `${figures}; ms beyond the lease's duration: ${late}`);
    expect(most).toBeLessThanOrEqual(leaseDurationMs + 1_000);
    expect(least).toBeGreaterThanOrEqual(leaseDurationMs - marginMs);
  },
);

/** One process from its start to its end. */
async function tryOnce({ cluster, pool }: TestBed): Promise<TryResult> {
  const settings = { name: 'job', options: TIMINGS };
  return JSON.parse(await pool.run('try', cluster, settings, TRY_LIMIT_MS)) as TryResult;
}

testOnAllClusters(
  `Trying once, in a new process every ${EVERY_MS / 1000} s: one gets the lock of a killed holder`,
  TRY_BOUND_MS + 60_000,
  async (of) => {
    const holder = await of.pool.spawn<HolderCalls>('holder', of.cluster, { options: TIMINGS });
    const { token } = await holder.call('acquire', 'job');
    expect(await tryOnce(of)).toMatchObject({ token: null });
    await holder.kill();
    const killedAt = now();
    let result: TryResult = { token: null, at: killedAt };
    let tries = 0;
    while (result.token === null && result.at - killedAt < TRY_BOUND_MS) {
      await sleep(Math.max(0, killedAt + ++tries * EVERY_MS - now()));
      result = await tryOnce(of);
    }
    const took = result.at - killedAt;
    const figures = `process ${tries} got it ${(took / 1000).toFixed(1)} s after the kill`;
    print('once', of.cluster, `${figures}; the lease is ${TIMINGS.leaseDurationMs} ms`);
    expect(BigInt(result.token ?? 0)).toBeGreaterThan(token);
    expect(took).toBeLessThanOrEqual(TRY_BOUND_MS);
    expect(took).toBeGreaterThanOrEqual(TIMINGS.leaseDurationMs - TIMINGS.marginMs);
  },
);
