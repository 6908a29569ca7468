import { afterAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeEachCluster } from '../../support/each-cluster.js';
import { WorkerPool } from '../../../tools/harness/processes/pool.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, ms, percentile, print } from '../../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../../tools/harness/processes/holder.js';
import type { PutCalls } from '../../../tools/harness/processes/put.js';

const ROUNDS = isFull ? 200 : 40;
/** The first ones open connections and learn who the rivals are. */
const COLD_ROUNDS = 5;
const PUTS_PER_BLOCK = 25;
/** So long the lock is held before it is passed on, while the other one waits for it. */
const HELD_MS = 40;
/** A waiter without a watch would ask every two seconds. */
const MUCH_FASTER_THAN_POLLING_MS = 250;

describeEachCluster('Hand-off', (getCluster) => {
  const pool = new WorkerPool();
  afterAll(() => pool.killAll());

  it(`${ROUNDS} times to and fro between two processes, beside a raw PUT`, async () => {
    const cluster = getCluster();
    const start = (): Promise<Worker<HolderCalls>> => pool.spawn('holder', cluster);
    const yardsticks = pool.spawn<PutCalls>('put', cluster, { leases: cluster.leases });
    const [yardstick, ...members] = await Promise.all([yardsticks, start(), start()]);
    let [holder, waiter] = members;
    let { token } = await holder.call('acquire', 'baton');
    const handOffs: number[] = [];
    const puts: number[] = [];
    // A process that slept has cold caches, as those that hand over here have.
    const pausedPuts: number[] = [];
    await yardstick.call('put', PUTS_PER_BLOCK);
    for (let round = -COLD_ROUNDS; round < ROUNDS; round++) {
      // In blocks between the hand-offs, so that both meet the same noise.
      if (round % 20 === 0) puts.push(...(await yardstick.call('put', PUTS_PER_BLOCK)));
      const acquired = waiter.call('acquire', 'baton');
      await sleep(HELD_MS / 2);
      pausedPuts.push(...(await yardstick.call('put', 1)));
      await sleep(HELD_MS / 2);
      const { calledAt, confirmed } = await holder.call('release', 'baton');
      const { at, token: next } = await acquired;
      expect(confirmed).toBe(true);
      expect(next).toBeGreaterThan(token);
      token = next;
      if (round >= 0) handOffs.push(at - calledAt);
      [holder, waiter] = [waiter, holder];
    }
    const [p50, put] = [percentile(handOffs, 0.5), percentile(puts, 0.5)];
    const [p90, p99] = [percentile(handOffs, 0.9), percentile(handOffs, 0.99)];
    const pausedPut = percentile(pausedPuts, 0.5);
    const ratios =
      `${(p50 / put).toFixed(2)} × raw PUTs in a row (p50 ${ms(put)}), ` +
      `${(p50 / pausedPut).toFixed(2)} × raw PUTs with pauses (p50 ${ms(pausedPut)})`;
    const figures = `p50 ${ms(p50)}, p90 ${ms(p90)}, p99 ${ms(p99)}`;
    print('hand-off', cluster, `n=${handOffs.length}, ${figures}; p50 is ${ratios}`);
    expect(p50).toBeLessThan(MUCH_FASTER_THAN_POLLING_MS);
  }, 120_000);
});
