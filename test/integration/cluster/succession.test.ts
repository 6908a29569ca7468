// How long nobody leads when a leader lets go: ours, beside raw PUTs and beside client-go's candidates.
import { afterAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedClientGo } from '../../../tools/harness/client-go/find.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { CandidateCalls } from '../../../tools/harness/processes/candidate.js';
import { WorkerPool } from '../../../tools/harness/processes/pool.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, ms, percentile, print } from '../../../tools/harness/processes/figures.js';
import type { PutCalls } from '../../../tools/harness/processes/put.js';
import { resignations } from '../../../tools/harness/processes/resignations.js';

const ROUNDS = isFull ? 100 : 10;
/** The first ones open connections. */
const COLD_ROUNDS = 3;
const PUTS_PER_BLOCK = 25;
const ROUNDS_PER_BLOCK = 5;
/** So often a leader steps down; otherwise it stops. Whoever stepped down is slow to come back. */
const STEPS_EVERY = 4;
/** Longer than it takes the other one to lead. */
const COOLDOWN_MS = 1_000;
/** Until the one who let go waits again. */
const SETTLING_MS = 200;
const MUCH_FASTER_THAN_POLLING_MS = 250;

const THEIR_TIME_MS = 180_000;

type Candidate = Worker<CandidateCalls>;

interface Figures {
  readonly handOffs: number[];
  readonly puts: number[];
  /** A process that slept has cold caches, as those that hand over here have. */
  readonly pausedPuts: number[];
}

/** From the call that lets go to the callback of the other one. */
async function passOurs(cluster: Cluster, pool: WorkerPool): Promise<Figures> {
  const name = 'succession';
  const start = (identity: string): Promise<Candidate> =>
    pool.spawn<CandidateCalls>('candidate', cluster, { name, identity });
  const yardsticks = pool.spawn<PutCalls>('put', cluster, { leases: cluster.leases });
  const [yardstick, one, other] = await Promise.all([yardsticks, start('one'), start('other')]);
  await one.call('start', undefined);
  let { token } = await one.call('term', 0);
  await other.call('start', undefined);
  let [leader, waiter] = [one, other];
  const figures: Figures = { handOffs: [], puts: [], pausedPuts: [] };
  await yardstick.call('put', PUTS_PER_BLOCK);
  for (let round = -COLD_ROUNDS; round < ROUNDS; round++) {
    if (round % ROUNDS_PER_BLOCK === 0) {
      figures.puts.push(...(await yardstick.call('put', PUTS_PER_BLOCK)));
    }
    await sleep(SETTLING_MS / 2);
    figures.pausedPuts.push(...(await yardstick.call('put', 1)));
    await sleep(SETTLING_MS / 2);
    const { length } = await waiter.call('terms', undefined);
    const next = waiter.call('term', length);
    const steps = round % STEPS_EVERY === 0;
    const { calledAt } = await (steps
      ? leader.call('stepDown', COOLDOWN_MS)
      : leader.call('stop', undefined));
    const term = await next;
    expect(term.token).toBeGreaterThan(token);
    if (round >= 0) figures.handOffs.push(term.at - calledAt);
    if (steps) await sleep(COOLDOWN_MS);
    else await leader.call('start', undefined);
    ({ token } = term);
    [leader, waiter] = [waiter, leader];
  }
  return figures;
}

function figuresOf(values: readonly number[]): string {
  const [p50, p99] = [percentile(values, 0.5), percentile(values, 0.99)];
  return `n=${values.length}, p50 ${ms(p50)}, p99 ${ms(p99)}`;
}

describeEachCluster('Succession', (getCluster) => {
  const pool = new WorkerPool();
  afterAll(() => pool.killAll());

  it(`${ROUNDS} times to and fro between two candidates`, async () => {
    const cluster = getCluster();
    const { handOffs, puts, pausedPuts } = await passOurs(cluster, pool);
    const p50 = percentile(handOffs, 0.5);
    const times = (of: readonly number[]): string => (p50 / percentile(of, 0.5)).toFixed(2);
    const ratios =
      `${times(puts)} × raw PUTs in a row (${figuresOf(puts)}), ` +
      `${times(pausedPuts)} × raw PUTs with pauses (${figuresOf(pausedPuts)})`;
    print('succession', cluster, `${figuresOf(handOffs)}; p50 is ${ratios}`);
    expect(p50).toBeLessThan(MUCH_FASTER_THAN_POLLING_MS);
    if (!cluster.real) return;
    const program = sharedClientGo();
    if (!isFull || program?.kind !== 'built') {
      const why = isFull ? 'there is no client-go' : 'SYNC_TEST_FULL=1 runs it';
      print('succession', cluster, `of client-go's candidates: skipped (${why})`);
      return;
    }
    const theirs = await resignations(cluster, pool, program, THEIR_TIME_MS);
    const faster = (percentile(theirs, 0.5) / p50).toFixed(0);
    const title = `client-go ${program.version}, 15 s/10 s/2 s`;
    print('succession', cluster, `${title}: ${figuresOf(theirs)}; p50 is ${faster} × ours`);
    expect(theirs.length).toBeGreaterThan(0);
  }, 500_000);
});
