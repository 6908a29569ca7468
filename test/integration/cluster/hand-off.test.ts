// Locks and leadership that are passed on, by the API server's own count of requests and its own order of versions. How
// long that takes is a figure of bench/.
import { describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CandidateCalls } from '../../../tools/harness/processes/candidate.js';
import { countDuring } from '../../../tools/harness/processes/counter.js';
import type { Traffic } from '../../../tools/harness/processes/counter.js';
import { print } from '../../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../../tools/harness/processes/holder.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testAloneOnCluster, testOnCluster } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';

const ROUNDS = 30;
const TERMS = 10;
const LIMIT_MS = 180_000;
const NOTHING_ELSE = { GET: 0, LIST: 0, POST: 0, PATCH: 0, DELETE: 0 };
/** Renewals are so rare that none falls into a hold of a moment. */
const RARELY = { leaseDurationMs: 120_000, renewIntervalMs: 40_000 };
const RENEW_INTERVAL_MS = 2_000;
const RENEWALS = 4;
/** One renewal leaves an interval after the one before, give or take what a timer is early by. */
const EARLY_MS = 50;
/** Far longer than the other candidate needs to lead. */
const COOLDOWN_MS = 5_000;

type Holder = Worker<HolderCalls>;
type Candidate = Worker<CandidateCalls>;

function holder({ cluster, pool }: TestBed, identity: string, options = {}): Promise<Holder> {
  return pool.spawn<HolderCalls>('holder', cluster, { identity, options });
}

/** Acquired and released by one process, again and again. */
async function countRounds(bed: TestBed): Promise<void> {
  const worker = await holder(bed, 'alone', RARELY);
  const rounds = (count: number) => worker.call('rounds', { name: 'steady', count }, LIMIT_MS);
  await rounds(5);
  const { counts } = await countDuring(bed.cluster, () => rounds(ROUNDS));
  print(
    'requests',
    bed.cluster,
    `${ROUNDS} times acquired and released: ${JSON.stringify(counts)}`,
  );
  expect(counts).toEqual({ ...NOTHING_ELSE, PUT: 2 * ROUNDS });
}

/** To and fro between two processes, the one waiting while the other holds. */
async function passOn(bed: TestBed): Promise<void> {
  let [holding, waiting] = [await holder(bed, 'one', RARELY), await holder(bed, 'other', RARELY)];
  let { token } = await holding.call('acquire', 'baton');
  const pass = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const acquired = waiting.call('acquire', 'baton', LIMIT_MS);
      await waiting.call('waitsFor', 'baton');
      const { confirmed } = await holding.call('release', 'baton');
      const { token: next } = await acquired;
      expect(confirmed).toBe(true);
      expect(next).toBeGreaterThan(token);
      token = next;
      [holding, waiting] = [waiting, holding];
    }
  };
  const claimsInVain = async (): Promise<number> => {
    const each = [holding, waiting].map((worker) => worker.call('claimsInVain', 'baton'));
    return (await Promise.all(each)).reduce((sum, one) => sum + one, 0);
  };
  // The first look of each, and its watch, are not counted.
  await pass(2);
  const before = await claimsInVain();
  const { counts, changes } = await countDuring(bed.cluster, () => pass(ROUNDS));
  // A process that has released may want the lock again before its watch has delivered the claim of the other one.
  const inVain = (await claimsInVain()) - before;
  const figures = `${JSON.stringify(counts)}, claims in vain: ${inVain}`;
  print('hand-off', bed.cluster, `${ROUNDS} hand-offs: ${figures}`);
  // A release and a claim each, and not one look: only a watch says that the lock is free.
  expect(counts).toEqual({ ...NOTHING_ELSE, PUT: 2 * ROUNDS + inVain });
  expect(inVain).toBeLessThan(ROUNDS / 3);
  expect(changes.map(({ holder: by }) => by)).toEqual(
    Array.from({ length: ROUNDS }, (_, n) => ['', n % 2 === 0 ? 'other' : 'one']).flat(),
  );
}

/** Waits until the record was renewed that many times. */
async function renewals(probe: WatchProbe, count: number): Promise<void> {
  const all = (): number => probe.of('held').filter(({ holder: by }) => by === 'holds').length;
  const before = all();
  await probe.until(`${count} renewals`, () => all() >= before + count);
}

/** A holder and a waiter at rest. */
async function atRest(bed: TestBed, probe: WatchProbe): Promise<void> {
  const [holds, waits] = [await holder(bed, 'holds'), await holder(bed, 'waits')];
  await waits.call('rounds', { name: 'warm-up', count: 1 });
  const { token } = await holds.call('acquire', 'held');
  const acquired = waits.call('acquire', 'held', LIMIT_MS);
  await waits.call('waitsFor', 'held');
  await renewals(probe, 1);
  const traffic: Traffic = await countDuring(bed.cluster, () => renewals(probe, RENEWALS));
  const { counts, changes } = traffic;
  print('requests', bed.cluster, `a holder and a waiter: ${JSON.stringify(counts)}`);
  // Each PUT was a renewal: a write of the waiter would be one more, or another holder's.
  expect(counts).toEqual({ ...NOTHING_ELSE, PUT: changes.length });
  expect(changes.map(({ holder: by }) => by)).toEqual(changes.map(() => 'holds'));
  expect(new Set(changes.map(({ transitions }) => transitions)).size).toBe(1);
  for (const [n, { renewTime }] of changes.entries()) {
    const before = changes[n - 1]?.renewTime ?? -Infinity;
    expect(renewTime - before).toBeGreaterThanOrEqual(RENEW_INTERVAL_MS - EARLY_MS);
  }
  // And a waiter it was, all the time.
  await holds.call('release', 'held');
  expect((await acquired).token).toBeGreaterThan(token);
}

/** Leadership that is passed on: a leader stops, or steps down for a while. */
async function succeed(bed: TestBed, probe: WatchProbe): Promise<void> {
  const { pool, cluster } = bed;
  const name = 'succession';
  const start = (identity: string): Promise<Candidate> =>
    pool.spawn<CandidateCalls>('candidate', cluster, { name, identity });
  let [leader, waiter] = await Promise.all([start('one'), start('other')]);
  await leader.call('start', undefined);
  let { token } = await leader.call('term', 0);
  await waiter.call('start', undefined);
  for (let term = 1; term <= TERMS; term++) {
    await waiter.call('sees', term % 2 === 1 ? 'one' : 'other');
    const { length } = await waiter.call('terms', undefined);
    const next = waiter.call('term', length);
    const stepsDown = term % 3 === 0;
    if (stepsDown) await leader.call('stepDown', COOLDOWN_MS);
    else await leader.call('stop', undefined);
    const { token: greater } = await next;
    expect(greater).toBeGreaterThan(token);
    token = greater;
    if (stepsDown) await sleep(COOLDOWN_MS);
    else await leader.call('start', undefined);
    [leader, waiter] = [waiter, leader];
  }
  const turns = Array.from({ length: TERMS }, (_, n) => ['', n % 2 === 0 ? 'other' : 'one']);
  await probe.until('the last term', () => probe.holders(name).length > 2 * TERMS + 1);
  expect(probe.holders(name)).toEqual(['', 'one', ...turns.flat()]);
}

describe('The API server counts', () => {
  testAloneOnCluster('2 PUTs for an acquisition and its release', LIMIT_MS, countRounds);
  testAloneOnCluster('2 PUTs for a hand-off, and nothing by the waiter', LIMIT_MS, passOn);
  testAloneOnCluster('the renewals of a holder, and nothing by a waiter', LIMIT_MS, (bed) =>
    WatchProbe.during(bed.cluster, (probe) => atRest(bed, probe)),
  );
});

describe('Leadership', () => {
  testOnCluster(
    `passes ${TERMS} times to and fro, each time with a greater token`,
    LIMIT_MS,
    (bed) => WatchProbe.during(bed.cluster, (probe) => succeed(bed, probe)),
  );
});
