// The test cases of client-go's elector, its Lease lock, the manager of controller-runtime and k8slock,
// numbered and ordered as there, and what each of them comes to here.
import { expect } from '@jest/globals';
import { ForbiddenError, UnsupportedLeaseError } from '@metaparticle/sync';
import type { LeaseObject, LeaseSpec } from '@metaparticle/sync/testing';
import { candidate } from '../support/candidate.js';
import { expectError, rejection, sleep, until } from '../support/promises.js';
import { longAgo, quick } from '../support/world.js';
import type { World } from '../support/world.js';
import { calm, leads, requestsOf } from './scenario.js';
import type { Row, Stage } from './scenario.js';

const now = (): string => new Date().toISOString().replace('Z', '000Z');

/** A record as another elector leaves it. */
function heldBy(holderIdentity: string, more: LeaseSpec = {}): LeaseSpec {
  const times = { acquireTime: now(), renewTime: now() };
  return { holderIdentity, leaseDurationSeconds: 3_600, leaseTransitions: 0, ...times, ...more };
}

const vacant = (more: LeaseSpec = {}): LeaseSpec =>
  heldBy('', { leaseDurationSeconds: 1, ...more });

/** What the API server itself says of when the record was written. */
function backdate({ metadata }: LeaseObject): void {
  for (const entry of metadata.managedFields ?? []) entry.time = '2020-01-01T00:00:00Z';
}

/** Changes nothing that an elector goes by, but the version. */
function annotate({ api }: World): void {
  api.leases.edit('default', 'crown', ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, 'example.com/note': 'hello' };
  });
}

async function waits({ me }: Stage): Promise<undefined> {
  await until('it knows the leader', () => me.leaders.length > 0);
  await sleep(300);
  expect(me.election.isLeader()).toBe(false);
  expect(me.terms).toEqual([]);
  return undefined;
}

async function refuses({ me, running, world }: Stage): Promise<undefined> {
  const before = world.api.leases.get('default', 'crown');
  const error = await rejection(running);
  expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', 'OldestEmulationVersion');
  expect(me.terms).toEqual([]);
  expect(world.api.leases.get('default', 'crown')).toEqual(before);
  return undefined;
}

/** Leads, then is asked to stop, and has ended. */
async function leadsAndEnds(stage: Stage): Promise<undefined> {
  await leads(stage);
  await ends(stage);
  return undefined;
}

async function ends({ me, running, world }: Stage): Promise<void> {
  me.stop.abort();
  await running;
  expect(me.stopped).toEqual(['aborted']);
  expect(world.holder('crown')).toBe('');
}

function count(world: World, what: string): number {
  return requestsOf(world).filter((one) => one === what).length;
}

/** Waits for so many requests of a kind. */
async function seen({ world }: Stage, what: string, times: number): Promise<void> {
  await until(`${times} times ${what}`, () => count(world, what) >= times, 8_000);
}

const stalled = ({ api }: World): unknown => api.faults.stallWatch();
const acquired = ['get 404', 'create 201', 'update 200'] as const;
const coordinated = { strategy: 'OldestEmulationVersion' } as const;

const VACANT_FIRST =
  'the POST creates a vacant Lease, and the claim replaces its version: the token';
const NO_HEALTH_CHECK =
  'there is no health check to wire: who leads asks the clocks, and has stopped to lead before it would fail';
const NO_CANDIDATES =
  'LeaseCandidate objects belong to coordinated election, in which we take no part';

export const rows: readonly Row[] = [
  {
    title: '1 TryAcquireOrRenew: acquire from no object',
    upstream: 'GET, POST; leads, transitions 0',
    differs: `${VACANT_FIRST}; transitions 1`,
    start: null,
    requests: acquired,
    transitions: 1,
    told: ['me'],
  },
  {
    title: '2 TryAcquireOrRenew: acquire from an object with an empty spec',
    upstream: 'GET, PUT; leads, transitions 1',
    start: {},
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '3 TryAcquireOrRenew: acquire from a led object by the duration in its record',
    upstream: 'GET and refused; after the 3 s of the record GET, PUT; transitions 1',
    differs: 'the second GET makes sure of a watch that is silent; the takeover itself needs none',
    start: heldBy('stranger', { leaseDurationSeconds: 2 }),
    act: async (stage) => {
      const startedAt = performance.now();
      await leads(stage);
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(2_000);
      return undefined;
    },
    requests: ['get 200', 'get 200', 'update 200'],
    transitions: 1,
    told: ['stranger', 'me'],
  },
  {
    title: '4 TryAcquireOrRenew: acquire from an unled object',
    upstream: 'a record of zeroes; GET, PUT; leads, transitions 1',
    start: { holderIdentity: '', leaseDurationSeconds: 0, leaseTransitions: 0 },
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '5 TryAcquireOrRenew: acquire from a led object that was not renewed for long',
    upstream: 'observed long ago; GET, PUT; leads, transitions 1',
    differs: 'known at first sight, by the clock of the API server',
    start: heldBy('stranger', {
      leaseDurationSeconds: 15,
      renewTime: '2020-01-01T00:00:00.000000Z',
    }),
    before: ({ api }) => api.leases.corrupt('default', 'crown', backdate),
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['stranger', 'me'],
  },
  {
    title: '6 TryAcquireOrRenew: acquire from an object without a leader, renewed in the future',
    upstream: 'GET, PUT; leads at once, transitions 1',
    start: vacant({ renewTime: '2099-01-01T00:00:00.000000Z' }),
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '7 TryAcquireOrRenew: not from a led object that is renewed',
    upstream: 'GET; refused, told of the leader',
    start: heldBy('stranger'),
    act: waits,
    requests: ['get 200'],
    transitions: 0,
    told: ['stranger'],
  },
  {
    title: '8 TryAcquireOrRenew: renew an object that names us already',
    upstream: 'GET, PUT; leads at once, transitions 0',
    differs:
      'our identity with another nonce is a stranger: waited for, and taken over with transitions 1',
    start: heldBy('me', { leaseDurationSeconds: 2 }),
    act: async (stage) => {
      const startedAt = performance.now();
      await leads(stage);
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(2_000);
      return undefined;
    },
    requests: ['get 200', 'get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '9 TryCoordinatedRenew: not from a led object that is renewed',
    upstream: 'GET; refused',
    differs: 'run() rejects: who leads is for the API server to choose',
    start: heldBy('stranger', coordinated),
    before: stalled,
    act: refuses,
    requests: ['get 200'],
    transitions: 0,
    told: ['stranger'],
  },
  {
    title: '10 TryCoordinatedRenew: renew an object that names us already',
    upstream: 'GET, PUT; transitions 0',
    differs: 'run() rejects, also when the API server would have chosen us',
    start: heldBy('me', coordinated),
    before: stalled,
    act: refuses,
    requests: ['get 200'],
    transitions: 0,
    told: ['me'],
  },
  {
    title: '11 LeaseSpecToLeaderElectionRecord: there and back',
    upstream: 'nothing is lost of a record that is read and written',
    differs: 'nor of fields that no version of the library knows',
    start: vacant({ newField: { deep: [1, null] }, leaseTransitions: 7 }),
    act: async (stage) => {
      await leadsAndEnds(stage);
      expect(stage.world.spec('crown')).toMatchObject({ newField: { deep: [1, null] } });
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update 200'],
    transitions: 8,
    told: ['me', null],
  },
  {
    title: '12 ReleaseLease: renew, then release',
    upstream: 'GET, PUT, GET, PUT; holder empty, told of nobody',
    differs: 'no GET before the release: it replaces the version that is known, or nothing',
    start: vacant(),
    options: quick,
    act: async (stage) => {
      await seen(stage, 'update 200', 2);
      await ends(stage);
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update 200', 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '13 ReleaseMethodCallsGet',
    upstream: 'GET before the PUT of a release',
    onPurpose:
      'a read proves nothing for the write that follows: the release is compare-and-swap (12, 14)',
  },
  {
    title: '14 ReleaseRetriesOnConflict',
    upstream: 'PUT 409, GET, PUT; released',
    start: vacant(),
    before: stalled,
    act: async (stage) => {
      await leads(stage);
      annotate(stage.world);
      await ends(stage);
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update 409', 'get 200', 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '15 ReleaseOnCancellation: while a PUT hangs',
    upstream: 'the PUT of the release is sent all the same; told of start and stop',
    start: vacant(),
    options: quick,
    act: async (stage) => {
      await leads(stage);
      stage.world.api.faults.hang({ match: { verb: 'update' }, times: 1 });
      await seen(stage, 'update -', 1);
      await ends(stage);
      expect(stage.me.terms).toHaveLength(1);
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update -', 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '16 ReleaseOnCancellation: while a GET hangs',
    upstream: 'the PUT of the release is sent all the same; told of start and stop',
    differs:
      'here a leader reads after a conflict only, so the release meets the same conflict first',
    start: vacant(),
    options: quick,
    before: stalled,
    act: async (stage) => {
      await leads(stage);
      annotate(stage.world);
      stage.world.api.faults.hang({ match: { verb: 'get' }, times: 1 });
      await seen(stage, 'get -', 1);
      await ends(stage);
      return undefined;
    },
    requests: [
      ...['get 200', 'update 200', 'update 409', 'get -'],
      ...['update 409', 'get 200', 'update 200'],
    ],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '17 LeaderElectionConfigValidation',
    upstream: 'an empty identity is refused; rules for numbers have no test',
    provenIn: 'test/election/options.test.ts',
    words: 'an empty identity is refused',
  },
  {
    title: '18 FastPath: no GET after the acquisition',
    upstream: 'GET, POST, PUT, PUT',
    differs: VACANT_FIRST,
    start: null,
    options: quick,
    act: async (stage) => {
      await seen(stage, 'update 200', 3);
      return undefined;
    },
    requests: [...acquired, 'update 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '19 FastPath: a conflict leads back to the slow path',
    upstream: 'GET, POST, PUT, PUT 409, GET, PUT, PUT',
    start: null,
    options: quick,
    before: stalled,
    act: async (stage) => {
      await leads(stage);
      annotate(stage.world);
      await seen(stage, 'update 200', 3);
      expect(stage.me.stopped).toEqual([]);
      return undefined;
    },
    requests: [...acquired, 'update 409', 'get 200', 'update 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '20 CheckMethodRace',
    upstream: 'the health check beside Run, under the race detector',
    onPurpose:
      'one thread: nothing runs beside what asks, and isLeader() keeps no flag that could be stale',
  },
  {
    title: '21 LeaderElectionHealthChecker: not wired',
    upstream: 'healthy',
    differs: 'who does not take part does not lead, and asks nothing',
    start: null,
    act: async (stage) => {
      const { election } = candidate(stage.world, 'idle');
      await leads(stage);
      const { leader, fencingToken } = election;
      expect([election.isLeader(), leader, fencingToken]).toEqual([false, null, null]);
      return undefined;
    },
    requests: acquired,
    transitions: 1,
    told: ['me'],
  },
  {
    title: '22 LeaderElectionHealthChecker: ours and expired',
    upstream: 'an error that names the Lease, one hour late',
    differs:
      'it does not lead any more, and has been told so with the name, before anybody else may lead',
    start: vacant(),
    options: quick,
    act: async (stage) => {
      await leads(stage);
      const before = requestsOf(stage.world);
      stage.world.api.faults.hang();
      await until('a loss', () => stage.me.stopped.length === 1, 6_000);
      expect(stage.me.election.isLeader()).toBe(false);
      const { lostSignal } = stage.me.terms[0]!;
      expect(lostSignal.reason).toMatchObject({ reason: 'expired', lock: 'default/crown' });
      return before;
    },
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '23 LeaderElectionHealthChecker: foreign and expired',
    upstream: 'healthy',
    onPurpose: `${NO_HEALTH_CHECK}; an expired foreign record is taken over (3, 5)`,
  },
  {
    title: '24 LeaderElectionHealthChecker: fresh',
    upstream: 'healthy',
    start: vacant(),
    act: async (stage) => {
      await leads(stage);
      const { signal, lostSignal } = stage.me.terms[0]!;
      expect([signal.aborted, lostSignal.aborted]).toEqual([false, false]);
      return undefined;
    },
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '25 LeaderElectionHealthChecker: expired within the tolerance',
    upstream: 'healthy',
    onPurpose: `${NO_HEALTH_CHECK}; nothing beyond the lease is tolerated`,
  },
  { title: '26 LeaseCandidateCreation', upstream: 'it appears', onPurpose: NO_CANDIDATES },
  { title: '27 LeaseCandidateAck', upstream: 'a ping is answered', onPurpose: NO_CANDIDATES },
  {
    title: '28 LeaseLock: GetError',
    upstream: 'the error of the GET is handed on',
    differs: 'a 404 is no error but the way to the first Lease (1); what waiting does not mend is',
    start: vacant(),
    before: ({ api }) => api.faults.forbid({ verb: 'get' }),
    act: async ({ running }) => {
      expectError(await rejection(running), ForbiddenError, 'ERR_FORBIDDEN', 'get leases');
      return undefined;
    },
    requests: ['get 403'],
    transitions: 0,
    told: [],
  },
  {
    title: '28 LeaseLock: Get',
    upstream: 'all fields are read, strategy and preferredHolder too',
    differs: 'a strategy makes run() reject, also on a Lease that is vacant',
    start: vacant({ ...coordinated, preferredHolder: 'me' }),
    before: stalled,
    act: refuses,
    requests: ['get 200'],
    transitions: 0,
    told: [],
  },
  {
    title: '29 LeaseLock: RecordEvent',
    upstream: 'one Event on the Lease; no recorder, no crash',
    onPurpose:
      'no Events are written, so no right to do so is needed: callbacks and diagnostics_channel tell',
  },
  {
    title: '30 LeaseLock: CreateError',
    upstream: 'a duplicate is AlreadyExists',
    differs: 'it means that somebody was faster: GET, then whatever the record says',
    start: null,
    before: ({ api }) => {
      api.faults.stallWatch();
      api.faults.delay({ match: { verb: 'create' }, requestMs: 200, times: 1 });
    },
    act: async (stage) => {
      const { api } = stage.world;
      await until('a POST', () => api.requests.counts.create === 1);
      api.leases.create({ metadata: { name: 'crown' }, spec: vacant() });
      await leads(stage);
      return undefined;
    },
    requests: ['get 404', 'create 409', 'get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '30 LeaseLock: UpdateError',
    upstream: 'an update before any get or create is an error',
    onPurpose:
      'a write takes the Lease that it replaces as an argument: without one it does not compile',
  },
  {
    title: '31 LeaseLock: Describe and LeaseConversion',
    upstream: 'namespace/name; field by field both ways',
    provenIn: 'test/kube/wire.test.ts',
    words: 'comes back from any record as it was put in',
  },
  {
    title: '32 LeaseLock: UpdateWithNilLabels',
    upstream: 'no crash, and written',
    start: vacant(),
    options: { labels: { app: 'web' } },
    act: async (stage) => {
      await leads(stage);
      const { labels } = stage.world.api.leases.get('default', 'crown')!.metadata;
      expect(labels).toEqual({ app: 'web' });
      return undefined;
    },
    requests: ['get 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '33 LeaseLock: LabelUpdate',
    upstream: 'our own key is restored, a foreign one kept',
    start: vacant(),
    metadata: { labels: { team: 'a', app: 'other' } },
    options: { ...quick, labels: { app: 'web' } },
    act: async (stage) => {
      const { world } = stage;
      const labels = (): unknown => world.api.leases.get('default', 'crown')?.metadata.labels;
      await leads(stage);
      expect(labels()).toEqual({ team: 'a', app: 'web' });
      world.api.leases.edit('default', 'crown', ({ metadata }) => {
        metadata.labels = { team: 'b' };
      });
      await seen(stage, 'update 200', 2);
      expect(labels()).toEqual({ team: 'b', app: 'web' });
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '34 manager: the election is cancelled only after all work has ended',
    upstream: 'the Lease is let go last',
    start: null,
    act: async (stage) => {
      const { world, me } = stage;
      const atTheEnd: unknown[] = [];
      const election = candidate(world, 'draining', {
        ...calm,
        onStartedLeading: async ({ signal, lostSignal }) => {
          await until('the signal', () => signal.aborted);
          await sleep(200);
          atTheEnd.push(world.holder('crown'), election.election.isLeader(), lostSignal.aborted);
        },
      });
      await leads(stage);
      me.stop.abort();
      const other = election.run();
      await until('it leads', () => election.election.isLeader());
      election.stop.abort();
      await other;
      expect(atTheEnd).toEqual(['draining', true, false]);
      expect(world.holder('crown')).toBe('');
      return undefined;
    },
    requests: [...acquired, 'update 200', 'get 200', 'update 200', 'update 200'],
    transitions: 2,
    told: ['me', null],
  },
  {
    title: '34 manager: a lost election is an error, and nobody waits gracefully',
    upstream: 'the process is to end',
    differs: 'the term is told in both signals at once, and run() goes on: another term may come',
    start: vacant(),
    act: async (stage) => {
      const { world, me, running } = stage;
      await leads(stage);
      world.api.leases.edit('default', 'crown', (lease) => {
        lease.spec = heldBy('stranger', { leaseTransitions: 2 });
      });
      await until('the loss', () => me.stopped.length === 1);
      const { signal, lostSignal } = me.terms[0]!;
      expect([signal.aborted, lostSignal.aborted, me.stopped]).toEqual([true, true, ['lost']]);
      await sleep(100);
      me.stop.abort();
      await running;
      return undefined;
    },
    requests: ['get 200', 'update 200'],
    transitions: 2,
    told: ['me', 'stranger'],
  },
  {
    title: '34 manager: never starts to lead once it is shutting down',
    upstream: 'no runnable starts',
    start: vacant(),
    before: ({ api }) => {
      api.faults.stallWatch();
      api.faults.delay({ match: { verb: 'update' }, responseMs: 300 });
    },
    act: async ({ world, me, running }) => {
      await until('a claim that landed', () => world.holder('crown') === 'me');
      me.stop.abort();
      await running;
      expect([me.terms, me.stopped]).toEqual([[], []]);
      expect(world.holder('crown')).toBe('');
      return undefined;
    },
    requests: ['get 200', 'update 200', 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '34 manager: a second one is not elected while the first one leads',
    upstream: 'nothing starts there',
    start: null,
    act: async (stage) => {
      await leads(stage);
      const second = candidate(stage.world, 'second', calm);
      const running = second.run();
      await until('the second one knows', () => second.election.leader === 'me');
      await sleep(300);
      expect(second.terms).toEqual([]);
      second.stop.abort();
      await running;
      return undefined;
    },
    requests: [...acquired, 'get 200'],
    transitions: 1,
    told: ['me'],
  },
  {
    title: '34 manager: the time-out of requests follows the renew deadline',
    upstream: 'half of it, at least a second',
    onPurpose:
      'each request has its own limit, from what is left of belief (test/protocol, test/kube)',
  },
  {
    title: '34 manager: no namespace outside of a cluster',
    upstream: 'an error',
    onPurpose: 'without one it is that of the kubeconfig, in the end `default`, as kubectl has it',
  },
  {
    title: '34 manager: labels reach the Lease',
    upstream: 'they are on it',
    differs: 'also on the vacant one that is created first',
    start: null,
    options: { labels: { app: 'web' } },
    before: ({ api }) => api.faults.hang({ match: { verb: 'update' } }),
    act: async (stage) => {
      await seen(stage, 'update -', 1);
      const { metadata, spec } = stage.world.api.leases.get('default', 'crown')!;
      expect([metadata.labels, spec.holderIdentity]).toEqual([{ app: 'web' }, '']);
      const before = requestsOf(stage.world);
      stage.world.api.faults.clear();
      return before;
    },
    requests: ['get 404', 'create 201', 'update -'],
    transitions: 0,
    told: [],
  },
  {
    title: '34 manager: the option to release clears the holder',
    upstream: 'it is off by default',
    differs: 'it is no option: what is led is always let go, once the work has wound down',
    start: null,
    act: leadsAndEnds,
    requests: [...acquired, 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
  {
    title: '35 k8slock: lockers exclude each other, 5 × 3 rounds',
    upstream: 'a counter is right in the end',
    provenIn: 'test/integration/contention.test.ts',
    words: 'no update is lost, tokens strictly increase',
  },
  {
    title: '35 k8slock: the duration is honoured',
    upstream: 'taken over after it, not before',
    provenIn: 'test/bad-input.test.ts',
    words: 'a duration of its own is waited for so long',
  },
  {
    title: '35 k8slock: unlocking a Lease that was deleted',
    upstream: 'the error of the server is kept',
    provenIn: 'test/bad-input.test.ts',
    words: 'a held Lease that %s is lost at once',
  },
  {
    title: '35 k8slock: a Lease made before, where creating is not allowed',
    upstream: 'works',
    start: vacant({ renewTime: longAgo }),
    before: ({ api }) => api.faults.forbid({ verb: 'create' }),
    act: leadsAndEnds,
    requests: ['get 200', 'update 200', 'update 200'],
    transitions: 1,
    told: ['me', null],
  },
];
