import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { countDuring } from '../../../tools/harness/processes/counter.js';
import type { Traffic } from '../../../tools/harness/processes/counter.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, print } from '../../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../../tools/harness/processes/holder.js';
import { testOnAllClusters } from '../test-bed.js';

const ROUNDS = 50;
type Member = Worker<HolderCalls>;

const SETTLING_MS = 2_500;
const RENEW_INTERVAL_MS = 2_000;
const NOTHING_ELSE = { GET: 0, LIST: 0, POST: 0, PATCH: 0, DELETE: 0 };

/** On a cluster that others use too, one look may meet a request of theirs; three do not. */
async function best(look: () => Promise<Traffic>, isGood: (of: Traffic) => boolean) {
  let traffic = await look();
  for (let more = 2; more > 0 && !isGood(traffic); more--) traffic = await look();
  return traffic;
}

const total = ({ counts }: Traffic): number => Object.values(counts).reduce((a, b) => a + b, 0);

async function uncontended(cluster: Cluster, worker: Member): Promise<void> {
  await worker.call('rounds', { name: 'steady', count: 5 });
  const rounds = (): Promise<unknown> => worker.call('rounds', { name: 'steady', count: ROUNDS });
  const look = (): Promise<Traffic> => countDuring(cluster, rounds);
  const { counts } = await best(look, (of) => total(of) === 2 * ROUNDS);
  print('requests', cluster, `${ROUNDS} times acquired and released: ${JSON.stringify(counts)}`);
  expect(counts).toEqual({ ...NOTHING_ELSE, PUT: 2 * ROUNDS });
}

async function waiting(cluster: Cluster, holder: Member, waiter: Member): Promise<void> {
  await waiter.call('rounds', { name: 'warm-up', count: 1 });
  const { token } = await holder.call('acquire', 'held');
  const acquired = waiter.call('acquire', 'held', 90_000);
  await sleep(SETTLING_MS);
  const windowMs = cluster.real || isFull ? 10_000 : 5_000;
  const look = (): Promise<Traffic> => countDuring(cluster, () => sleep(windowMs));
  const { counts, changes, seconds } = await best(look, (of) => total(of) === of.changes.length);
  const perSecond = `${(counts.PUT / seconds).toFixed(2)} PUT/s`;
  print('requests', cluster, `a holder and a waiter: ${JSON.stringify(counts)}, ${perSecond}`);
  // Each PUT was a renewal: a write of a waiter's would be one more, or another holder's.
  expect(counts).toEqual({ ...NOTHING_ELSE, PUT: changes.length });
  expect(new Set(changes.map(({ transitions }) => transitions)).size).toBe(1);
  const renewals = (seconds * 1000) / RENEW_INTERVAL_MS;
  expect(counts.PUT).toBeGreaterThanOrEqual(Math.floor(renewals) - 1);
  expect(counts.PUT).toBeLessThanOrEqual(Math.ceil(renewals) + 1);
  // And a waiter it was, all the time.
  await holder.call('release', 'held');
  expect((await acquired).token).toBeGreaterThan(token);
}

/** Declares the test. On a real API server nobody else of this run must ask it for Leases meanwhile. */
function requestStories(): void {
  testOnAllClusters(
    'The API server counts 2 PUTs for an acquisition and its release, and nothing by a waiter',
    120_000,
    async ({ cluster, pool }) => {
      const start = (): Promise<Member> => pool.spawn('holder', cluster);
      const [one, other] = await Promise.all([start(), start()]);
      await uncontended(cluster, one);
      await waiting(cluster, one, other);
    },
  );
}

requestStories();
