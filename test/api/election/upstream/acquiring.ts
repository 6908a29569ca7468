// Cases 1 to 10: one attempt of client-go's elector.
import { expect } from '@jest/globals';
import { leads } from './play.js';
import type { Row, Stage } from './play.js';
import {
  heldBy,
  vacant,
  backdate,
  waits,
  refuses,
  stalled,
  acquired,
  coordinated,
  VACANT_FIRST,
} from './acts.js';

/** The records are for 2 s. */
async function leadsAfterItsDuration(stage: Stage): Promise<undefined> {
  await stage.cluster.advance(1_999);
  expect(stage.me.terms).toEqual([]);
  await leads(stage);
  return undefined;
}

export const acquiring: readonly Row[] = [
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
    act: leadsAfterItsDuration,
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
    act: leadsAfterItsDuration,
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
];
