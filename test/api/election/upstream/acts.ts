// What the cases have in common: records to begin with, and what is done with a candidate.
import { expect } from '@jest/globals';
import { UnsupportedLeaseError } from '@metaparticle/sync';
import type { LeaseObject, LeaseSpec } from '@metaparticle/sync/testing';
import { end } from '../../../support/candidate.js';
import { expectError, rejection } from '../../../support/promises.js';
import type { Cluster } from '../../../support/cluster.js';
import { leads, requestsOf } from './play.js';
import type { Stage } from './play.js';

/** Where the clock of a cluster starts. */
const START = '2030-01-01T00:00:00.000000Z';

/** A record as another elector leaves it. */
export function heldBy(holderIdentity: string, more: LeaseSpec = {}): LeaseSpec {
  const times = { acquireTime: START, renewTime: START };
  return { holderIdentity, leaseDurationSeconds: 3_600, leaseTransitions: 0, ...times, ...more };
}

export const vacant = (more: LeaseSpec = {}): LeaseSpec =>
  heldBy('', { leaseDurationSeconds: 1, ...more });

/** What the API server itself says of when the record was written. */
export function backdate({ metadata }: LeaseObject): void {
  for (const entry of metadata.managedFields ?? []) entry.time = '2020-01-01T00:00:00Z';
}

/** Changes nothing that an elector goes by, but the version. */
export function annotate({ api }: Cluster): void {
  api.leases.edit('default', 'crown', ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, 'example.com/note': 'hello' };
  });
}

export async function waits({ cluster, me }: Stage): Promise<undefined> {
  await cluster.advance(1_000);
  expect(me.election.isLeader()).toBe(false);
  expect(me.terms).toEqual([]);
  return undefined;
}

export async function refuses({ me, cluster }: Stage): Promise<undefined> {
  const before = cluster.api.leases.get('default', 'crown');
  const error = await rejection(me.running);
  expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', 'OldestEmulationVersion');
  expect(me.terms).toEqual([]);
  expect(cluster.api.leases.get('default', 'crown')).toEqual(before);
  return undefined;
}

/** Leads, then is asked to stop, and has ended. */
export async function leadsAndEnds(stage: Stage): Promise<undefined> {
  await leads(stage);
  await ends(stage);
  return undefined;
}

export async function ends({ me, cluster }: Stage): Promise<void> {
  await end(cluster, me);
  expect(me.stopped).toEqual(['aborted']);
  expect(cluster.holder('crown')).toBe('');
}

export function count(cluster: Cluster, what: string): number {
  return requestsOf(cluster).filter((one) => one === what).length;
}

/** Waits for so many requests of a kind. */
export async function seen({ cluster }: Stage, what: string, times: number): Promise<void> {
  await cluster.until(`${times} times ${what}`, () => count(cluster, what) >= times, 8_000);
}

export const stalled = ({ api }: Cluster): unknown => api.faults.stallWatch();
export const acquired = ['get 404', 'create 201', 'update 200'] as const;
export const coordinated = { strategy: 'OldestEmulationVersion' } as const;

export const VACANT_FIRST =
  'the POST creates a vacant Lease, and the claim replaces its version: the token';
export const NO_HEALTH_CHECK =
  'there is no health check to wire: who leads asks the clocks, and has stopped to lead before it would fail';
export const NO_CANDIDATES =
  'LeaseCandidate objects belong to coordinated election, in which we take no part';
