// Ours and client-go's candidates for one Lease: who waits, who follows whom, and what stays on the Lease.
import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock } from '../../../src/index.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { CandidateCalls } from '../../../tools/harness/processes/candidate.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { ms, print } from '../../../tools/harness/processes/figures.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { ClientGoCandidate } from '../../../tools/harness/client-go/candidate.js';
import type { ClientGoSettings } from '../../../tools/harness/client-go/candidate.js';
import { testWithClientGo } from '../test-bed.js';
import type { ClientGoBed } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';

const OURS = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
/** It renews faster than its followers can see, who read whole seconds: but here it has none of its own kind. */
const THEIRS = { duration: '4s', deadline: '3s', retry: '400ms' };
/** With these, what is not told at once is found out so late that no busy machine is mistaken for it. */
const OURS_RARELY = { leaseDurationMs: 30_000, renewIntervalMs: 10_000, marginMs: 500 };
const THEIRS_RARELY = { duration: '20s', deadline: '15s', retry: '2s' };
/** More than its longest sleep. */
const AT_ONCE_MS = 9_000;
const POLL_MS = 400;
/** The longest that client-go sleeps between two looks, and what a busy machine adds. */
const LONGEST_POLL_MS = 2.2 * POLL_MS;
const BUSY_MS = 1_500;
/** Far less than any poll of ours: only a watch is so fast. */
const BY_WATCH_MS = 1_000;
/** Until a candidate of ours listens and has seen a renewal. */
const SETTLING_MS = 1_500;
const LIMIT_MS = 90_000;

const METADATA = {
  labels: { team: 'payments' },
  annotations: { 'example.com/note': 'keep me' },
  finalizers: ['example.com/guard'],
};

type Candidate = Worker<CandidateCalls>;

async function ours(
  { cluster, pool }: ClientGoBed,
  name: string,
  options = OURS,
): Promise<Candidate> {
  const settings = { name, identity: 'ours', options };
  const candidate = await pool.spawn<CandidateCalls>('candidate', cluster, settings);
  await candidate.call('start', undefined);
  return candidate;
}

function theirs(of: ClientGoBed, settings: Partial<ClientGoSettings> & { lease: string }) {
  return ClientGoCandidate.start(of.pool, of.program, of.cluster, {
    identity: 'client-go',
    ...THEIRS,
    ...settings,
  });
}

async function makeLease({ leases, request }: Cluster, name: string): Promise<void> {
  const metadata = { name, ...METADATA };
  expect(await request('POST', leases, { metadata, spec: {} })).toMatchObject({ status: 201 });
}

async function expectIntact({ leases, request }: Cluster, name: string): Promise<void> {
  expect((await request('GET', `${leases}/${name}`)).body.metadata).toMatchObject(METADATA);
}

/** Each holder once, in order; empty for nobody. */
function succession(probe: WatchProbe, name: string): string[] {
  const holders = probe.of(name).map(({ holder }) => holder);
  return holders.filter((holder, n) => holder !== holders[n - 1]);
}

async function takeTurns(of: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { cluster } = of;
  await makeLease(cluster, 'turns');
  const mine = await ours(of, 'turns');
  const first = await mine.call('term', 0);
  const rival = await theirs(of, { lease: 'turns', pause: '1s' });
  await sleep(2 * OURS.leaseDurationMs + 1_000);
  expect(await mine.call('isLeader', undefined)).toBe(true);
  expect(succession(probe, 'turns')).toEqual(['', 'ours']);

  const { calledAt: stoppedAt } = await mine.call('stop', undefined);
  const theirFirst = await rival.next('leading', stoppedAt);
  await expectIntact(cluster, 'turns');
  await mine.call('start', undefined);
  await sleep(SETTLING_MS);
  const resignedAt = await rival.resign();
  const second = await mine.call('term', 1);
  await rival.next('campaigning', resignedAt);
  const { calledAt: steppedDownAt } = await mine.call('stepDown', 3_000);
  const theirSecond = await rival.next('leading', steppedDownAt);
  await sleep(3_000 + SETTLING_MS);
  const termAt = now();
  expect(await rival.terminate()).toEqual({ code: 0, signal: null });
  const third = await mine.call('term', 2);
  await expectIntact(cluster, 'turns');

  const waits = [theirFirst.at - stoppedAt, theirSecond.at - steppedDownAt];
  const watched = [second.at - resignedAt, third.at - termAt];
  const figures = `theirs after ${waits.map(ms).join(', ')}, ours after ${watched.map(ms).join(', ')}`;
  print('client-go', cluster, `graceful, polling every ${POLL_MS} ms: ${figures}`);
  for (const took of waits) expect(took).toBeLessThan(LONGEST_POLL_MS + BUSY_MS);
  for (const took of watched) expect(took).toBeLessThan(AT_ONCE_MS);
  expect(second.token).toBeGreaterThan(first.token);
  expect(third.token).toBeGreaterThan(second.token);
  const turns = ['', 'ours', '', 'client-go', '', 'ours', '', 'client-go', '', 'ours'];
  expect(succession(probe, 'turns')).toEqual(turns);
}

/** When the last change that such a holder made came here. */
function lastOf(probe: WatchProbe, name: string, holder: string): number {
  return probe.of(name).findLast((one) => one.holder === holder)?.at ?? NaN;
}

async function inherit(of: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { cluster } = of;
  await makeLease(cluster, 'crash');
  const mine = await ours(of, 'crash');
  const first = await mine.call('term', 0);
  const rival = await theirs(of, { lease: 'crash' });
  await sleep(SETTLING_MS);
  await mine.kill();
  const killedAt = now();
  const took = await rival.next('leading', killedAt);
  const theirWait = took.at - lastOf(probe, 'crash', 'ours');

  const heir = await ours(of, 'crash');
  // Its duration counts from what it has seen itself.
  await heir.call('sees', 'client-go');
  await sleep(SETTLING_MS);
  await rival.kill();
  const second = await heir.call('term', 0);
  const ourWait = second.at - lastOf(probe, 'crash', 'client-go');
  const figures = `they took over after ${ms(theirWait)}, ours after ${ms(ourWait)}`;
  print('client-go', cluster, `SIGKILL, leases of ${OURS.leaseDurationMs} ms: ${figures}`);
  // What was committed came here a little later than to the API server itself.
  for (const wait of [theirWait, ourWait]) {
    expect(wait).toBeGreaterThan(OURS.leaseDurationMs - BUSY_MS / 2);
  }
  expect(theirWait).toBeLessThan(OURS.leaseDurationMs + 2 * LONGEST_POLL_MS + BUSY_MS);
  expect(ourWait).toBeLessThan(OURS.leaseDurationMs + BY_WATCH_MS);
  expect(second.token).toBeGreaterThan(first.token);
  await expectIntact(cluster, 'crash');
}

/** A lock of ours, let go in either way while client-go waits for it. */
async function letGo(of: ClientGoBed, probe: WatchProbe, deleteOnRelease: boolean): Promise<void> {
  const name = deleteOnRelease ? 'deleted' : 'released';
  await using client = new LeaseClient({ kubeConfig: of.cluster.kubeConfig, identity: 'ours' });
  const lock = new Lock(name, { client, ...OURS_RARELY, deleteOnRelease });
  const handle = await lock.acquire();
  const rival = await theirs(of, { lease: name, ...THEIRS_RARELY });
  await rival.next('get', 0);
  expect(await lock.tryAcquire()).toBeNull();
  const calledAt = now();
  expect(await handle.release()).toBe(true);
  const { at } = await rival.next('leading', calledAt);
  expect(at - calledAt).toBeLessThan(AT_ONCE_MS);
  // A real one of theirs, not what our release left.
  expect(await lock.tryAcquire()).toBeNull();
  const left = probe.of(name).filter(({ holder }) => holder === '');
  const { transitions } = probe.of(name).findLast(({ holder }) => holder === 'ours')!;
  expect(left.at(-1)).toMatchObject({ transitions, isDeleted: deleteOnRelease });
  expect(left.at(-1)?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  expect(await rival.terminate()).toEqual({ code: 0, signal: null });
  const again = await lock.acquire({ timeoutMs: AT_ONCE_MS });
  expect(again.fencingToken).toBeGreaterThan(handle.fencingToken);
}

/**
 * Nothing that a candidate can help: when client-go resigns before it has read that its lease is another's,
 * it erases the other's record. Ours is told, and leads anew.
 */
async function beErased(of: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { leases, request } = of.cluster;
  const slow = { duration: '12s', deadline: '10s', retry: '6s' };
  const rival = await theirs(of, { lease: 'erased', ...slow });
  await rival.next('leading', 0);
  const mine = await ours(of, 'erased', OURS_RARELY);
  await mine.call('follows', 'client-go');
  // From here on it sleeps for 6 s, and what it knows grows old.
  await rival.next('update', now());
  const { body } = await request('GET', `${leases}/erased`);
  const vacant = { ...body, spec: { ...body.spec, holderIdentity: '' } };
  expect(await request('PUT', `${leases}/erased`, vacant)).toMatchObject({ status: 200 });
  const first = await mine.call('term', 0);
  await rival.resign();
  const second = await mine.call('term', 1);
  const erased = probe.of('erased').find(({ version, holder }) => {
    return version > first.token && holder === '' && version <= second.token;
  });
  const [{ ended } = first] = await mine.call('terms', undefined);
  const took = (ended?.at ?? NaN) - (erased?.at ?? NaN);
  print('client-go', of.cluster, `its release erased our record: given up after ${ms(took)}`);
  expect(succession(probe, 'erased')).toEqual(['client-go', '', 'ours', '', 'ours']);
  expect(ended?.reason).toBe('lost');
  expect(took).toBeLessThan(AT_ONCE_MS);
  expect(second.token).toBeGreaterThan(first.token);
}

function tellObserved(
  name: string,
  story: (of: ClientGoBed, probe: WatchProbe) => Promise<void>,
): void {
  testWithClientGo(name, LIMIT_MS, async (of) => {
    const probe = await WatchProbe.open(of.cluster);
    await story(of, probe).finally(() => probe.close());
  });
}

/** Those that take as long as leases last, and longer. */
function longRivalStories(): void {
  tellObserved('client-go waits while ours leads; each takes what the other lets go', takeTurns);
  tellObserved('Each takes over from a killed leader of the other kind', inherit);
}

/** Those of a few seconds. */
function rivalStories(): void {
  tellObserved('A release of client-go’s erases our record: given up at once', beErased);
  tellObserved('client-go takes a lock of ours at once when it is released', (of, probe) =>
    letGo(of, probe, false),
  );
  tellObserved('client-go takes a lock of ours that is deleted on release', (of, probe) =>
    letGo(of, probe, true),
  );
}

longRivalStories();
rivalStories();
