// Cases 26 to 33: the candidates and the Lease lock of client-go.
import { expect } from '@jest/globals';
import { ForbiddenError } from '@metaparticle/sync';
import { expectError, rejection } from '../../../support/promises.js';
import { quick } from '../../../support/cluster.js';
import { leads } from './play.js';
import type { Row } from './play.js';
import { vacant, refuses, seen, stalled, coordinated, NO_CANDIDATES } from './acts.js';

export const leaseLock: readonly Row[] = [
  { title: '26 LeaseCandidateCreation', upstream: 'it appears', onPurpose: NO_CANDIDATES },
  { title: '27 LeaseCandidateAck', upstream: 'a ping is answered', onPurpose: NO_CANDIDATES },
  {
    title: '28 LeaseLock: GetError',
    upstream: 'the error of the GET is handed on',
    differs: 'a 404 is no error but the way to the first Lease (1); what waiting does not mend is',
    start: vacant(),
    before: ({ api }) => api.faults.forbid({ verb: 'get' }),
    act: async ({ me }) => {
      expectError(await rejection(me.running), ForbiddenError, 'ERR_FORBIDDEN', 'get leases');
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
    provenIn: 'test/integration/smoke/events.test.ts',
    words: 'is off unless it is asked for',
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
      const { api } = stage.cluster;
      await stage.cluster.until('a POST', () => api.requests.counts.create === 1);
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
    provenIn: 'test/unit/kube/wire.test.ts',
    words: 'comes back from any record as it was put in',
  },
  {
    title: '32 LeaseLock: UpdateWithNilLabels',
    upstream: 'no crash, and written',
    start: vacant(),
    options: { labels: { app: 'web' } },
    act: async (stage) => {
      await leads(stage);
      const { labels } = stage.cluster.api.leases.get('default', 'crown')!.metadata;
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
      const { cluster } = stage;
      const labels = (): unknown => cluster.api.leases.get('default', 'crown')?.metadata.labels;
      await leads(stage);
      expect(labels()).toEqual({ team: 'a', app: 'web' });
      cluster.api.leases.edit('default', 'crown', ({ metadata }) => {
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
];
