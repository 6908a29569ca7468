// Processes that want one lock again and again, and hear of a vacancy at different times: each gets its turn.
import { describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Distance, placeBehind, placeWith } from '../../../tools/harness/distance.js';
import { print } from '../../../tools/harness/processes/figures.js';
import type { HerdCalls, HerdSettings } from '../../../tools/harness/processes/herd.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { testOnCluster } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';

const SETTINGS: HerdSettings = { name: 'turns', waiters: 1, holdMs: 20 };
/** More than luck. */
const TURNS = 3;
/** Ends what hangs: a process that is never served. */
const LIMIT_MS = 180_000;
const AWAY_MS = 30;

async function turnsOf(worker: Worker<HerdCalls>): Promise<void> {
  const before = await worker.call('count', undefined);
  while ((await worker.call('count', undefined)) < before + TURNS) await sleep(50);
}

async function takeTurns({ cluster, pool }: TestBed): Promise<void> {
  await using way = await Distance.to(cluster.server, AWAY_MS);
  const polls = await placeWith(cluster, ['get', 'create', 'update', 'patch']);
  const places = [cluster, await placeBehind(cluster, way.url), polls];
  const herd = await Promise.all(
    places.map((place) => pool.spawn<HerdCalls>('herd', place, SETTINGS)),
  );
  const [near, ...others] = herd as [Worker<HerdCalls>, ...Worker<HerdCalls>[]];
  await near.call('start', undefined);
  // It has the lock to itself before the others come.
  await turnsOf(near);
  await Promise.all(others.map((worker) => worker.call('start', undefined)));
  await Promise.all(others.map(turnsOf));
  // And it is served as well.
  await turnsOf(near);
  const reports = await Promise.all(herd.map((worker) => worker.call('stop', undefined)));
  const turns = reports.map(({ holds }) => holds.length);
  print('turns', cluster, `near, ${AWAY_MS} ms away, without a watch: ${turns.join(', ')}`);
  const holds = reports
    .flatMap((report) => report.holds)
    .sort((a, b) => (a.token < b.token ? -1 : 1));
  for (const [n, { acquiredAt }] of holds.entries()) {
    expect(acquiredAt).toBeGreaterThanOrEqual(holds[n - 1]?.releasedAt ?? -Infinity);
  }
}

describe('Beside a process that takes a lock again as soon as it has released it', () => {
  testOnCluster(
    'one that is further away and one that may not watch get their turns',
    LIMIT_MS,
    takeTurns,
  );
});
