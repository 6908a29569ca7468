// Cases 34 and 35: the manager of controller-runtime, and k8slock.
import { expect } from '@jest/globals';
import { candidate, end, follower, leads as lead } from '../../../support/candidate.js';
import { aborted } from '../../../support/promises.js';
import { longAgo } from '../../../support/cluster.js';
import { calm, leads, requestsOf } from './play.js';
import type { Row } from './play.js';
import { heldBy, vacant, leadsAndEnds, seen, acquired } from './acts.js';

export const others: readonly Row[] = [
  {
    title: '34 manager: the election is cancelled only after all work has ended',
    upstream: 'the Lease is let go last',
    start: null,
    act: async (stage) => {
      const { cluster, me } = stage;
      const atTheEnd: unknown[] = [];
      const other = candidate(cluster, 'draining', {
        ...calm,
        onStartedLeading: async ({ signal, lostSignal }) => {
          await aborted(signal);
          await cluster.api.sleep(200);
          atTheEnd.push(cluster.holder('crown'), other.election.isLeader(), lostSignal.aborted);
        },
      });
      await leads(stage);
      me.stop.abort();
      void other.run();
      await lead(cluster, other);
      await end(cluster, other);
      expect(atTheEnd).toEqual(['draining', true, false]);
      expect(cluster.holder('crown')).toBe('');
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
      const { cluster, me } = stage;
      await leads(stage);
      cluster.api.leases.edit('default', 'crown', (lease) => {
        lease.spec = heldBy('stranger', { leaseTransitions: 2 });
      });
      await cluster.advance(0);
      const { signal, lostSignal } = me.terms[0]!;
      expect([signal.aborted, lostSignal.aborted, me.stopped]).toEqual([true, true, ['lost']]);
      await cluster.advance(1_000);
      await end(cluster, me);
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
    act: async ({ cluster, me }) => {
      await cluster.until('a claim that landed', () => cluster.holder('crown') === 'me');
      await end(cluster, me);
      expect([me.terms, me.stopped]).toEqual([[], []]);
      expect(cluster.holder('crown')).toBe('');
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
      const second = await follower(stage.cluster, 'second', calm);
      await stage.cluster.advance(10_000);
      expect([second.election.leader, second.terms]).toEqual(['me', []]);
      await end(stage.cluster, second);
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
      'each request has its own limit, from what is left of belief (test/unit/protocol, test/unit/kube)',
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
      const { metadata, spec } = stage.cluster.api.leases.get('default', 'crown')!;
      expect([metadata.labels, spec.holderIdentity]).toEqual([{ app: 'web' }, '']);
      const before = requestsOf(stage.cluster);
      stage.cluster.api.faults.clear();
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
    provenIn: 'test/integration/smoke/contention.test.ts',
    words: 'no update is lost, tokens strictly increase',
  },
  {
    title: '35 k8slock: the duration is honoured',
    upstream: 'taken over after it, not before',
    provenIn: 'test/api/errors/foreign-leases.test.ts',
    words: 'a duration of its own: for that',
  },
  {
    title: '35 k8slock: unlocking a Lease that was deleted',
    upstream: 'the error of the server is kept',
    provenIn: 'test/api/errors/foreign-leases.test.ts',
    words: 'a held Lease that %s',
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
