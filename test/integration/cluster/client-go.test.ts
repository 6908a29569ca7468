// Candidates of this package and of client-go for one Lease: which one waits, which one follows, and what stays on the
// Lease. How long either takes is a figure of bench/.
import { describe, expect } from '@jest/globals';
import { LeaseClient, Lock } from '../../../src/index.js';
import { ClientGoCandidate } from '../../../tools/harness/client-go/candidate.js';
import type { ClientGoSettings } from '../../../tools/harness/client-go/candidate.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { CandidateCalls } from '../../../tools/harness/processes/candidate.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { now } from '../../../tools/harness/processes/time.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testWithClientGo } from '../test-bed.js';
import type { ClientGoBed } from '../test-bed.js';

const OURS = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
/** It renews faster than its followers can see, which read whole seconds; but here it has none of its own kind. */
const THEIRS = { duration: '4s', deadline: '3s', retry: '400ms' };
/** With these, what no watch tells is found out so late that no busy machine is mistaken for it. */
const OURS_RARELY = { leaseDurationMs: 30_000, renewIntervalMs: 10_000, marginMs: 500 };
const THEIRS_RARELY = { duration: '20s', deadline: '15s', retry: '2s' };
/** Less than ours takes to find out without a watch, and more than client-go sleeps at most. */
const TOLD_MS = 9_000;
/** From the end of a lease to the claim: for ours a timer and one request. */
const CLAIM_MS = 1_000;
/** client-go may write whole seconds; ours is at least a second after the record before, and so may be ahead. */
const ROUNDING_MS = 1_000;
/** A wait that does not end is a failure; nothing is judged by it. */
const STUCK_MS = 60_000;
const LIMIT_MS = 180_000;
const COOLDOWN_MS = 3_000;

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

function theirs(bed: ClientGoBed, settings: Partial<ClientGoSettings> & { lease: string }) {
  return ClientGoCandidate.start(bed.pool, bed.program, bed.cluster, {
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

async function takeTurns(bed: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { cluster } = bed;
  await makeLease(cluster, 'turns');
  const mine = await ours(bed, 'turns');
  const first = await mine.call('term', 0);
  const other = await theirs(bed, { lease: 'turns', pause: '1s' });
  // Longer than a lease, by the number of renewals: it asks, and waits.
  const { length } = probe.of('turns');
  await probe.until('renewals of ours', () => probe.of('turns').length > length + 8);
  expect(await mine.call('isLeader', undefined)).toBe(true);
  expect(probe.holders('turns')).toEqual(['', 'ours']);

  const { calledAt: stoppedAt } = await mine.call('stop', undefined);
  await other.next('leading', stoppedAt, STUCK_MS);
  await expectIntact(cluster, 'turns');
  await mine.call('start', undefined);
  await mine.call('sees', 'client-go');
  const resignedAt = await other.resign();
  const second = await mine.call('term', 1, STUCK_MS);
  await other.next('campaigning', resignedAt, STUCK_MS);
  const { calledAt: steppedDownAt, at } = await mine.call('stepDown', COOLDOWN_MS);
  await other.next('leading', steppedDownAt, STUCK_MS);
  await mine.call('cooledDown', at + COOLDOWN_MS, STUCK_MS);
  expect(await other.terminate()).toEqual({ code: 0, signal: null });
  const third = await mine.call('term', 2, STUCK_MS);
  await expectIntact(cluster, 'turns');

  expect(second.token).toBeGreaterThan(first.token);
  expect(third.token).toBeGreaterThan(second.token);
  const turns = ['', 'ours', '', 'client-go', '', 'ours', '', 'client-go', '', 'ours'];
  await probe.until('the last term', () => probe.holders('turns').length >= turns.length);
  expect(probe.holders('turns')).toEqual(turns);
}

async function inherit(bed: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { cluster } = bed;
  await makeLease(cluster, 'crash');
  const mine = await ours(bed, 'crash');
  const first = await mine.call('term', 0);
  const other = await theirs(bed, { lease: 'crash' });
  await other.next('get', 0, STUCK_MS);
  await mine.kill();
  await other.next('leading', now(), STUCK_MS);
  await probe.until('its claim', () => probe.holders('crash').includes('client-go'));
  const { last, claim } = probe.takeover('crash', 'ours', 'client-go');
  expect(claim.acquireTime - last.renewTime).toBeGreaterThan(OURS.leaseDurationMs - ROUNDING_MS);

  const heir = await ours(bed, 'crash');
  await heir.call('sees', 'client-go');
  // Its duration counts from a renewal that it has seen itself.
  const { length } = probe.of('crash');
  await probe.until('a renewal of theirs', () => probe.of('crash').length > length + 1);
  await other.kill();
  const second = await heir.call('term', 0, STUCK_MS);
  await probe.until('our claim', () => probe.holders('crash').length === 4);
  expect(probe.holders('crash')).toEqual(['', 'ours', 'client-go', 'ours']);
  const renewal = probe.of('crash').findLast(({ holder }) => holder === 'client-go')!;
  const won = probe.of('crash').find(({ version, holder }) => {
    return version > renewal.version && holder === 'ours';
  })!;
  const waitedMs = won.acquireTime - renewal.renewTime;
  expect(waitedMs).toBeGreaterThan(OURS.leaseDurationMs - ROUNDING_MS);
  await bed.witness.boundedBy({
    ...{ what: 'the takeover by ours', from: renewal.at, until: second.at },
    limitMs: OURS.leaseDurationMs + CLAIM_MS,
  });
  expect(second.token).toBeGreaterThan(first.token);
  await expectIntact(cluster, 'crash');
}

/** A lock of ours, let go in either way while client-go waits for it. */
async function letGo(bed: ClientGoBed, probe: WatchProbe, deleteOnRelease: boolean): Promise<void> {
  const name = deleteOnRelease ? 'deleted' : 'released';
  await using client = new LeaseClient({ kubeConfig: bed.cluster.kubeConfig, identity: 'ours' });
  const lock = new Lock(name, { client, ...OURS_RARELY, deleteOnRelease });
  const handle = await lock.acquire();
  const other = await theirs(bed, { lease: name, ...THEIRS_RARELY });
  await other.next('get', 0, STUCK_MS);
  expect(await lock.tryAcquire()).toBeNull();
  const calledAt = now();
  expect(await handle.release()).toBe(true);
  const { at } = await other.next('leading', calledAt, STUCK_MS);
  // Sooner than a lease that is waited for.
  await bed.witness.boundedBy({
    ...{ what: 'the claim by client-go', from: calledAt, until: at },
    limitMs: TOLD_MS,
  });
  // A real one of theirs, not what our release left.
  expect(await lock.tryAcquire()).toBeNull();
  const left = probe.of(name).filter(({ holder }) => holder === '');
  const { transitions } = probe.of(name).findLast(({ holder }) => holder === 'ours')!;
  expect(left.at(-1)).toMatchObject({ transitions, isDeleted: deleteOnRelease });
  expect(left.at(-1)?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  expect(await other.terminate()).toEqual({ code: 0, signal: null });
  const again = await lock.acquire({ timeoutMs: STUCK_MS });
  expect(again.fencingToken).toBeGreaterThan(handle.fencingToken);
}

/**
 * Nothing that a candidate can prevent: when client-go resigns before it has read that its lease is another's, it
 * erases the other's record. Ours is told, and leads again.
 */
async function beErased(bed: ClientGoBed, probe: WatchProbe): Promise<void> {
  const { leases, request } = bed.cluster;
  const slow = { duration: '12s', deadline: '10s', retry: '6s' };
  const other = await theirs(bed, { lease: 'erased', ...slow });
  await other.next('leading', 0, STUCK_MS);
  const mine = await ours(bed, 'erased', OURS_RARELY);
  await mine.call('sees', 'client-go');
  // From here on it sleeps for 6 s, and what it knows grows old.
  await other.next('update', now(), STUCK_MS);
  const { body } = await request('GET', `${leases}/erased`);
  const vacant = { ...body, spec: { ...body.spec, holderIdentity: '' } };
  expect(await request('PUT', `${leases}/erased`, vacant)).toMatchObject({ status: 200 });
  const first = await mine.call('term', 0, STUCK_MS);
  await other.resign();
  const second = await mine.call('term', 1, STUCK_MS);
  await probe.until('the second term', () => probe.holders('erased').length >= 5);
  expect(probe.holders('erased')).toEqual(['client-go', '', 'ours', '', 'ours']);
  const erased = probe.of('erased').find(({ version, holder }) => {
    return version > first.token && holder === '' && version <= second.token;
  })!;
  const [{ ended } = first] = await mine.call('terms', undefined);
  expect(ended?.reason).toBe('lost');
  await bed.witness.boundedBy({
    ...{ what: 'the end of the erased term', from: erased.at, until: ended?.at ?? Infinity },
    limitMs: TOLD_MS,
  });
  expect(second.token).toBeGreaterThan(first.token);
}

function testObserved(
  name: string,
  run: (bed: ClientGoBed, probe: WatchProbe) => Promise<void>,
): void {
  testWithClientGo(name, LIMIT_MS, (bed) => {
    return WatchProbe.during(bed.cluster, (probe) => run(bed, probe));
  });
}

describe('Beside client-go', () => {
  testObserved('each waits while the other leads, and takes what the other lets go', takeTurns);
  testObserved('each takes over from a killed leader of the other kind', inherit);
  testObserved('a record of ours that client-go erases by its release is given up', beErased);
  testObserved('a lock of ours is taken by client-go when it is released', (bed, probe) =>
    letGo(bed, probe, false),
  );
  testObserved('a lock of ours is taken by client-go when it is deleted on release', (bed, probe) =>
    letGo(bed, probe, true),
  );
});
