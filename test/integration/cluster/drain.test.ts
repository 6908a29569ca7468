import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  SlowDrainAccount,
  SlowDrainCalls,
  SlowDrainSettings,
} from '../../../tools/harness/processes/slow-drain.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testOnAllClusters } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';

/** The defaults, and work that ignores `signal` for 40 s; or as short as still tells the same. */
const [SETTINGS, IGNORED_MS]: readonly [SlowDrainSettings, number] = isFull
  ? [settings(15_000, 2_000, 2_000, 30_000), 40_000]
  : [settings(5_000, 1_000, 1_000, 3_000), 5_000];
const LIMIT_MS = 180_000;
/** For timers and processes that have to wait for the machine. */
const SLACK_MS = 2_000;
/** Until somebody leads who may, on a machine that does much else. */
const PATIENCE_MS = 20_000;
/** Longer than anybody needs to claim a lease that is vacant. */
const VACANT_MS = 1_500;
const LONG_MS = 600_000;

type Member = Worker<SlowDrainCalls>;

function settings(
  leaseDurationMs: number,
  renewIntervalMs: number,
  marginMs: number,
  drainTimeoutMs: number,
): SlowDrainSettings {
  return {
    name: 'crown',
    options: { leaseDurationMs, renewIntervalMs, marginMs },
    drainTimeoutMs,
  };
}

/** Asks until it is so; resolves with the account that shows it. */
async function when(
  member: Member,
  what: string,
  isSo: (account: SlowDrainAccount) => boolean,
  limitMs: number,
): Promise<SlowDrainAccount> {
  const end = now() + limitMs;
  for (;;) {
    const account = await member.call('account', undefined);
    if (isSo(account)) return account;
    if (now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(20);
  }
}

const leads = (member: Member, term: number, limitMs: number): Promise<SlowDrainAccount> =>
  when(member, `term ${term}`, ({ terms, isLeader }) => isLeader && terms.length === term, limitMs);

async function start({ cluster, pool }: TestBed): Promise<Member> {
  const member = await pool.spawn<SlowDrainCalls>('slow-drain', cluster, SETTINGS);
  await member.call('run', undefined);
  return member;
}

/** What the overdue drain of the first term must have looked like from inside. */
function checkDrain({ terms, beliefs }: SlowDrainAccount, steppedAt: number): number {
  const { drainTimeoutMs } = SETTINGS;
  const [term] = terms;
  const { signalAt, lostAt } = term!;
  expect(signalAt! - steppedAt).toBeLessThan(SLACK_MS);
  expect(lostAt! - steppedAt).toBeGreaterThanOrEqual(drainTimeoutMs - 5);
  expect(lostAt! - steppedAt).toBeLessThan(drainTimeoutMs + SLACK_MS);
  expect(term!.stopped.map(({ reason }) => reason)).toEqual(['stepped-down']);
  expect(Math.abs(term!.stopped[0]!.at - lostAt!)).toBeLessThan(SLACK_MS);
  // Believed without a gap until authority was gone, and not a moment longer.
  expect(beliefs).toHaveLength(1);
  expect(beliefs[0]!.to).toBeLessThanOrEqual(lostAt!);
  expect(lostAt! - beliefs[0]!.to).toBeLessThan(SLACK_MS);
  return lostAt!;
}

/** The lease as the API server told of it: renewed until the end of belief, then left to run out. */
function checkLease(probe: WatchProbe, steppedAt: number, lostAt: number): number {
  const seen = probe.of('crown').filter(({ transitions }) => transitions >= 1);
  const firsts = seen.filter(({ transitions }) => transitions === 1);
  const claim = seen.find(({ transitions }) => transitions === 2)!;
  const last = firsts.at(-1)!;
  expect(firsts.filter(({ holder }) => holder === '')).toEqual([]);
  expect(last.at).toBeGreaterThan(steppedAt);
  expect(last.at).toBeLessThan(lostAt + SLACK_MS);
  const waitedMs = claim.at - last.at;
  const { leaseDurationMs = 0, marginMs = 0 } = SETTINGS.options;
  // Without a renewal not so long ago belief would have ended sooner.
  expect(lostAt - last.at).toBeLessThan(leaseDurationMs - marginMs);
  expect(waitedMs).toBeGreaterThan(leaseDurationMs - marginMs / 2);
  return waitedMs;
}

async function overdue(of: TestBed): Promise<void> {
  const probe = await WatchProbe.open(of.cluster);
  try {
    const a = await start(of);
    await leads(a, 1, PATIENCE_MS);
    const b = await start(of);
    // Until the second one listens, and has seen a renewal.
    await sleep(2 * (SETTINGS.options.renewIntervalMs ?? 0));
    const steppedAt = await a.call('stepDown', 0);
    const { leaseDurationMs = 0 } = SETTINGS.options;
    const heir = await leads(b, 1, SETTINGS.drainTimeoutMs + leaseDurationMs + PATIENCE_MS);
    const before = await a.call('account', undefined);
    const lostAt = checkDrain(before, steppedAt);
    expect(before.terms[0]!.settledAt).toBeNull();
    const waitedMs = checkLease(probe, steppedAt, lostAt);
    expect(heir.beliefs[0]!.from).toBeGreaterThan(before.beliefs[0]!.to);
    expect(heir.terms[0]!.startedAt).toBeGreaterThan(lostAt);
    const drained = `belief of a drain that took too long ended after ${ms(lostAt - steppedAt)}`;
    print(
      'drain',
      of.cluster,
      `${drained}, the next one led ${ms(waitedMs)} after its last renewal`,
    );
    await vacancy(of, a, b, steppedAt);
  } finally {
    probe.close();
  }
}

/** A vacant lease is not taken while the work of the old term goes on, and is when it has ended. */
async function vacancy(
  { cluster }: TestBed,
  a: Member,
  b: Member,
  steppedAt: number,
): Promise<void> {
  await b.call('settle', undefined);
  await b.call('stepDown', LONG_MS);
  await when(b, 'the end of the term', ({ terms }) => terms[0]?.stopped.length === 1, PATIENCE_MS);
  await sleep(Math.max(VACANT_MS, steppedAt + IGNORED_MS - now()));
  const idle = await a.call('account', undefined);
  expect([idle.terms.length, idle.isLeader, idle.terms[0]!.settledAt]).toEqual([1, false, null]);
  expect(idle.terms[0]!.stopped).toHaveLength(1);
  const settledAt = await a.call('settle', undefined);
  const again = await leads(a, 2, PATIENCE_MS);
  const [first, second] = again.terms;
  expect(second!.startedAt).toBeGreaterThanOrEqual(first!.settledAt!);
  expect(second!.token).toBeGreaterThan(first!.token);
  expect(first!.stopped).toHaveLength(1);
  expect(second!.stopped).toEqual([]);
  const tookMs = ms(second!.startedAt - settledAt);
  print('drain', cluster, `it led again ${tookMs} after the work of its old term had ended`);
}

/** Declares the tests. */
function drainStories(): void {
  testOnAllClusters(
    `A leader whose work ignores its signal for ${IGNORED_MS / 1000} s: nobody overlaps, nothing is released`,
    LIMIT_MS,
    overdue,
  );
}

drainStories();
