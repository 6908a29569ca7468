// Cases 11 to 25: release, configuration, fast path and health check of client-go's elector.
import { expect } from '@jest/globals';
import { candidate } from '../../../support/candidate.js';
import { quick } from '../../../support/cluster.js';
import { leads, requestsOf } from './play.js';
import type { Row } from './play.js';
import {
  vacant,
  annotate,
  leadsAndEnds,
  ends,
  seen,
  stalled,
  acquired,
  VACANT_FIRST,
  NO_HEALTH_CHECK,
} from './acts.js';

export const releasing: readonly Row[] = [
  {
    title: '11 LeaseSpecToLeaderElectionRecord: there and back',
    upstream: 'nothing is lost of a record that is read and written',
    differs: 'nor of fields that no version of the library knows',
    start: vacant({ newField: { deep: [1, null] }, leaseTransitions: 7 }),
    act: async (stage) => {
      await leadsAndEnds(stage);
      expect(stage.cluster.spec('crown')).toMatchObject({ newField: { deep: [1, null] } });
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
      annotate(stage.cluster);
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
      stage.cluster.api.faults.hang({ match: { verb: 'update' }, times: 1 });
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
      annotate(stage.cluster);
      stage.cluster.api.faults.hang({ match: { verb: 'get' }, times: 1 });
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
    provenIn: 'test/api/election/options.test.ts',
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
      annotate(stage.cluster);
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
      const { election } = candidate(stage.cluster, 'idle');
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
      const before = requestsOf(stage.cluster);
      stage.cluster.api.faults.hang();
      await stage.cluster.until('a loss', () => stage.me.stopped.length === 1);
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
];
