// What follows a SIGKILL of the holder, in the order and by the times of the record.
import { describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, print } from '../../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../../tools/harness/processes/holder.js';
import type { TryResult } from '../../../tools/harness/processes/try.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testOnCluster } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';

/** The defaults, or the shortest that leave room for a missed renewal. */
const TIMINGS = isFull
  ? { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 }
  : { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
/** A record's time is at least a second after the one before, so it may be ahead of the clock: never by a margin. */
const BELIEF_MS = TIMINGS.leaseDurationMs - TIMINGS.marginMs;
const ROUNDS = isFull ? 10 : 2;
const ROUND_LIMIT_MS = 2 * TIMINGS.leaseDurationMs + 60_000;
/** From the end of the lease to the claim: a timer, and one request. */
const CLAIM_MS = 1_000;
const EVERY_MS = isFull ? 5_000 : 2_000;
const MOST_TRIES = 30;
/** A process that has tried has no reason to stay; this long it may take to start. */
const TRY_LIMIT_MS = 120_000;

function start({ cluster, pool }: TestBed, identity: string): Promise<Worker<HolderCalls>> {
  return pool.spawn<HolderCalls>('holder', cluster, { identity, options: TIMINGS });
}

async function killAndFollow(bed: TestBed, probe: WatchProbe): Promise<void> {
  let holder = await start(bed, 'holder-0');
  let { token } = await holder.call('acquire', 'job');
  for (let round = 1; round <= ROUNDS; round++) {
    const [from, to] = [`holder-${round - 1}`, `holder-${round}`];
    const next = await start(bed, to);
    const acquired = next.call('acquire', 'job', ROUND_LIMIT_MS);
    // It counts from a renewal that it has seen itself.
    await next.call('seesRenewal', 'job');
    await sleep(Math.random() * TIMINGS.renewIntervalMs);
    await holder.kill();
    const { at, token: nextToken } = await acquired;
    await probe.until(`the claim of ${to}`, () => probe.of('job').some((one) => one.holder === to));
    const { last, claim } = probe.takeover('job', from, to);
    expect(nextToken).toBeGreaterThan(token);
    expect(nextToken).toBe(last.version);
    expect(claim.transitions).toBe(last.transitions + 1);
    expect(claim.acquireTime - last.renewTime).toBeGreaterThanOrEqual(BELIEF_MS);
    await bed.witness.boundedBy({
      ...{ what: `the takeover by ${to}`, from: last.at, until: at },
      limitMs: TIMINGS.leaseDurationMs + CLAIM_MS,
    });
    [holder, token] = [next, nextToken];
  }
  const holders = Array.from({ length: ROUNDS + 1 }, (_, n) => `holder-${n}`);
  expect(probe.holders('job')).toEqual(['', ...holders]);
}

/** One process from its start to its end. */
async function tryOnce({ cluster, pool }: TestBed, identity: string): Promise<TryResult> {
  const settings = { name: 'job', identity, options: TIMINGS };
  return JSON.parse(await pool.run('try', cluster, settings, TRY_LIMIT_MS)) as TryResult;
}

async function tryAgainAndAgain(bed: TestBed, probe: WatchProbe): Promise<void> {
  const holder = await start(bed, 'holder');
  const { token } = await holder.call('acquire', 'job');
  expect(await tryOnce(bed, 'too-early')).toEqual({ token: null });
  await holder.kill();
  let result: TryResult = { token: null };
  let tries = 0;
  while (result.token === null && tries < MOST_TRIES) {
    await sleep(EVERY_MS);
    result = await tryOnce(bed, `try-${++tries}`);
  }
  print('once', bed.cluster, `process ${tries} got the lock of the killed holder`);
  expect(BigInt(result.token ?? 0)).toBeGreaterThan(token);
  await probe.until('its release', () => probe.of('job').at(-1)?.holder === '');
  expect(probe.holders('job')).toEqual(['', 'holder', `try-${tries}`, '']);
  const { last, claim } = probe.takeover('job', 'holder', `try-${tries}`);
  expect(claim.acquireTime - last.renewTime).toBeGreaterThanOrEqual(BELIEF_MS);
}

describe('After a SIGKILL of the holder', () => {
  testOnCluster(
    'the next in line holds as soon as the lease has run out, and no sooner',
    ROUNDS * ROUND_LIMIT_MS + 60_000,
    (bed) => WatchProbe.during(bed.cluster, (probe) => killAndFollow(bed, probe)),
  );

  testOnCluster(
    `one of the processes that try once every ${EVERY_MS / 1_000} s gets the lock`,
    MOST_TRIES * EVERY_MS + 120_000,
    (bed) => WatchProbe.during(bed.cluster, (probe) => tryAgainAndAgain(bed, probe)),
  );
});
