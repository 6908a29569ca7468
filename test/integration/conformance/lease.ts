import { expect } from '@jest/globals';
import type { Cluster } from '../cluster.js';
import type { Json, RawResponse } from '../raw.js';

/** How a suite gets at its cluster: only while its tests run. */
export type GetCluster = () => Cluster;

/** A record with all five classic fields. */
export const RECORD = {
  holderIdentity: 'holder-1',
  leaseDurationSeconds: 15,
  acquireTime: '2026-01-02T03:04:05.123456Z',
  renewTime: '2026-01-02T03:04:05.123456Z',
  leaseTransitions: 1,
} as const;

/** A uid that no object has. */
export const STRANGE_UID = '11111111-1111-4111-8111-111111111111';

let counter = 0;

/** A Lease name that no other test uses. */
export function newName(): string {
  return `lease-${++counter}`;
}

export function leaseBody(
  name: string | undefined,
  spec: Json = RECORD,
  metadata: Json = {},
): Json {
  const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  return { ...head, metadata: { name, ...metadata }, spec };
}

/** The body of a CAS write onto `lease`: its name, uid and version, and nothing else of its metadata. */
export function casBody(lease: Json, spec: Json = {}, metadata: Json = {}): Json {
  const { name, uid, resourceVersion } = lease['metadata'] as Json;
  const cas = { uid, resourceVersion, ...metadata };
  return leaseBody(name as string, { ...(lease['spec'] as Json), ...spec }, cas);
}

/** Creates a Lease that must not be there yet, and gives what the server made of it. */
export async function create(
  cluster: Cluster,
  spec: Json = RECORD,
  metadata: Json = {},
): Promise<Json> {
  const name = (metadata['name'] as string | undefined) ?? newName();
  const response = await cluster.request('POST', cluster.leases, leaseBody(name, spec, metadata));
  expect(response).toMatchObject({ status: 201 });
  return response.body;
}

export function put(
  cluster: Cluster,
  body: Json,
  headers?: Readonly<Record<string, string>>,
): Promise<RawResponse> {
  return cluster.request('PUT', pathOf(cluster, body), body, headers);
}

/** Writes onto the version given and fails unless that succeeds. */
export async function update(
  cluster: Cluster,
  lease: Json,
  spec: Json,
  metadata?: Json,
): Promise<Json> {
  const response = await put(cluster, casBody(lease, spec, metadata));
  expect(response).toMatchObject({ status: 200 });
  return response.body;
}

export async function remove(cluster: Cluster, lease: Json): Promise<void> {
  const response = await cluster.request('DELETE', pathOf(cluster, lease));
  expect(response).toMatchObject({ status: 200 });
}

export function pathOf(cluster: Cluster, lease: Json): string {
  return `${cluster.leases}/${nameOf(lease)}`;
}

export function nameOf(lease: Json): string {
  return (lease['metadata'] as Json)['name'] as string;
}

export function uidOf(lease: Json): string {
  return (lease['metadata'] as Json)['uid'] as string;
}

/** The version as text: every way of counting with it goes through `versionOf`. */
export function rawVersionOf(lease: Json): string {
  return (lease['metadata'] as Json)['resourceVersion'] as string;
}

export function versionOf(lease: Json): bigint {
  return BigInt(rawVersionOf(lease));
}

/** Fails unless the answer is a refusal in the API's own form. */
export function expectFailure(
  response: RawResponse,
  code: number,
  reason: string,
  more: { message?: string; details?: Json } = {},
): void {
  expect(response).toMatchObject({
    status: code,
    headers: { 'content-type': 'application/json' },
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, code },
  });
  if (more.message !== undefined) expect(response.body['message']).toContain(more.message);
  if (more.details !== undefined) expect(response.body['details']).toMatchObject(more.details);
}

/** What tells one event of a watch from another. */
export function eventOf(type: string, lease: Json): Json {
  return { type, object: { kind: 'Lease', metadata: lease['metadata'] as Json } };
}
