// A leader whose work does not end when it is asked to: told by what it notes itself, and by the record.
import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import type {
  SlowDrainAccount,
  SlowDrainCalls,
  SlowDrainSettings,
} from '../../../tools/harness/processes/slow-drain.js';
import { now } from '../../../tools/harness/processes/time.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import type { Observation } from '../../../tools/harness/processes/watch-probe.js';
import { testOnCluster } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';

/** The defaults, or as short as still shows the same. */
const OPTIONS = isFull
  ? { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 }
  : { leaseDurationMs: 5_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const DRAIN_TIMEOUT_MS = isFull ? 30_000 : 3_000;
const LIMIT_MS = 240_000;
/** For a timer, a callback, and a message between processes. */
const PROMPT_MS = 500;
/** A wait that does not end is a failure; nothing is judged by it. */
const STUCK_MS = 60_000;
/** Longer than a candidate needs to claim a lease that is vacant. */
const VACANT_MS = 1_500;
const LONG_MS = 600_000;

type Candidate = Worker<SlowDrainCalls>;

/** Asks until it is so; resolves with the account that shows it. */
async function when(
  candidate: Candidate,
  what: string,
  isSo: (account: SlowDrainAccount) => boolean,
): Promise<SlowDrainAccount> {
  const end = now() + STUCK_MS;
  for (;;) {
    const account = await candidate.call('account', undefined);
    if (isSo(account)) return account;
    if (now() > end) throw new Error(`not within ${STUCK_MS} ms: ${what}`);
    await sleep(20);
  }
}

const leads = (candidate: Candidate, term: number): Promise<SlowDrainAccount> =>
  when(candidate, `term ${term}`, ({ terms, isLeader }) => isLeader && terms.length === term);

async function start({ cluster, pool }: TestBed, identity: string): Promise<Candidate> {
  const settings: SlowDrainSettings = {
    ...{ name: 'crown', identity, options: OPTIONS, drainTimeoutMs: DRAIN_TIMEOUT_MS },
  };
  const candidate = await pool.spawn<SlowDrainCalls>('slow-drain', cluster, settings);
  await candidate.call('run', undefined);
  return candidate;
}

/** What the overdue drain of the first term must have looked like from inside. */
async function checkDrain(
  { witness }: TestBed,
  { terms, beliefs }: SlowDrainAccount,
  steppedAt: number,
): Promise<number> {
  const [term] = terms;
  const { signalAt, lostAt, stopped } = term!;
  expect(stopped.map(({ reason }) => reason)).toEqual(['stepped-down']);
  // Believed without a gap until authority was gone, and not a moment longer.
  expect(beliefs).toHaveLength(1);
  expect(beliefs[0]!.to).toBeLessThanOrEqual(lostAt!);
  expect(signalAt!).toBeLessThan(lostAt!);
  expect(lostAt! - steppedAt).toBeGreaterThanOrEqual(DRAIN_TIMEOUT_MS - 5);
  const bounds = [
    { what: 'the signal of a step-down', from: steppedAt, until: signalAt!, limitMs: PROMPT_MS },
    {
      ...{ what: 'a drain that is overdue', from: steppedAt, until: lostAt! },
      limitMs: DRAIN_TIMEOUT_MS + PROMPT_MS,
    },
    { what: 'its last moment', from: beliefs[0]!.to, until: lostAt!, limitMs: PROMPT_MS },
    { what: 'its callback', from: lostAt!, until: stopped[0]!.at, limitMs: PROMPT_MS },
  ];
  for (const bound of bounds) await witness.boundedBy(bound);
  return lostAt!;
}

/** The record: renewed while the drain lasted, never released, and left to run out. */
function checkRecord(probe: WatchProbe, before: readonly Observation[]): void {
  const { last, claim } = probe.takeover('crown', 'first', 'heir');
  expect(probe.holders('crown')).toEqual(['', 'first', 'heir']);
  expect(last.version).toBeGreaterThan(before.at(-1)!.version);
  // Not sooner than belief ended; a record's time may be ahead of the clock by less than the margin.
  const beliefMs = OPTIONS.leaseDurationMs - OPTIONS.marginMs;
  expect(claim.acquireTime - last.renewTime).toBeGreaterThanOrEqual(beliefMs);
}

async function overdue(bed: TestBed, probe: WatchProbe): Promise<void> {
  const first = await start(bed, 'first');
  await leads(first, 1);
  const heir = await start(bed, 'heir');
  await heir.call('sees', 'first');
  const renewals = probe.of('crown').length;
  await probe.until('a renewal that the heir has seen', () => probe.of('crown').length > renewals);
  const seen = probe.of('crown');
  const steppedAt = await first.call('stepDown', 0);
  const heirs = await leads(heir, 1);
  const before = await first.call('account', undefined);
  expect(before.terms[0]!.settledAt).toBeNull();
  const lostAt = await checkDrain(bed, before, steppedAt);
  await probe.until('the claim of the heir', () => probe.holders('crown').includes('heir'));
  checkRecord(probe, seen);
  expect(heirs.beliefs[0]!.from).toBeGreaterThan(before.beliefs[0]!.to);
  expect(heirs.terms[0]!.startedAt).toBeGreaterThan(lostAt);
  print('drain', bed.cluster, `belief of an overdue drain ended after ${ms(lostAt - steppedAt)}`);
  await vacancy(first, heir);
}

/** A vacant lease is not taken while the work of the old term goes on, and is when it has ended. */
async function vacancy(first: Candidate, heir: Candidate): Promise<void> {
  await heir.call('settle', undefined);
  await heir.call('stepDown', LONG_MS);
  await when(heir, 'the end of its term', ({ terms }) => terms[0]?.stopped.length === 1);
  await sleep(VACANT_MS);
  const idle = await first.call('account', undefined);
  expect([idle.terms.length, idle.isLeader, idle.terms[0]!.settledAt]).toEqual([1, false, null]);
  expect(idle.terms[0]!.stopped).toHaveLength(1);
  await first.call('settle', undefined);
  const again = await leads(first, 2);
  const [old, fresh] = again.terms;
  expect(fresh!.startedAt).toBeGreaterThanOrEqual(old!.settledAt!);
  expect(fresh!.token).toBeGreaterThan(old!.token);
  expect(old!.stopped).toHaveLength(1);
  expect(fresh!.stopped).toEqual([]);
}

testOnCluster(
  'A leader whose work ignores its signal overlaps with no other, and releases nothing',
  LIMIT_MS,
  (bed) => WatchProbe.during(bed.cluster, (probe) => overdue(bed, probe)),
);
