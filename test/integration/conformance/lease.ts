import { expect } from '@jest/globals';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { ApiObject, Json, RawResponse } from '../../../tools/harness/raw.js';

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

/** A Lease to be sent. */
export interface Body extends Json {
  readonly metadata: Json;
  readonly spec?: Json | undefined;
}

export function leaseBody(
  name: string | undefined,
  spec: Json | undefined = RECORD,
  metadata: Json = {},
): Body {
  const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  return { ...head, metadata: { name, ...metadata }, spec };
}

/** The body of a CAS write onto `lease`: name, uid and version, nothing else of its metadata. */
export function casBody(lease: ApiObject, spec: Json = {}, metadata: Json = {}): Body {
  const { name, uid, resourceVersion } = lease.metadata;
  return leaseBody(name, { ...lease.spec, ...spec }, { uid, resourceVersion, ...metadata });
}

/** Creates a Lease that must not be there yet, and gives what the server made of it. */
export async function create(
  cluster: Cluster,
  spec: Json = RECORD,
  metadata: Json = {},
): Promise<ApiObject> {
  const body = leaseBody(newName(), spec, metadata);
  const response = await cluster.request('POST', cluster.leases, body);
  expect(response).toMatchObject({ status: 201 });
  return response.body;
}

export function put(
  cluster: Cluster,
  body: Body | ApiObject,
  headers?: Readonly<Record<string, string>>,
): Promise<RawResponse> {
  return cluster.request('PUT', pathOf(cluster, body), body, headers);
}

/** Writes onto the version given and fails unless that succeeds. */
export async function update(
  cluster: Cluster,
  lease: ApiObject,
  spec: Json,
  metadata?: Json,
): Promise<ApiObject> {
  const response = await put(cluster, casBody(lease, spec, metadata));
  expect(response).toMatchObject({ status: 200 });
  return response.body;
}

export async function remove(cluster: Cluster, lease: ApiObject): Promise<void> {
  const response = await cluster.request('DELETE', pathOf(cluster, lease));
  expect(response).toMatchObject({ status: 200 });
}

export function pathOf(cluster: Cluster, { metadata }: Body | ApiObject): string {
  return `${cluster.leases}/${String(metadata.name)}`;
}

export function versionOf({ metadata }: ApiObject): bigint {
  return BigInt(metadata.resourceVersion);
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
  if (more.message !== undefined) expect(response.body.message).toContain(more.message);
  if (more.details !== undefined) expect(response.body.details).toMatchObject(more.details);
}

/** A copy with these fields left out. */
export function without<T extends object, K extends keyof T>(object: T, ...keys: K[]): Omit<T, K> {
  const left = Object.entries(object).filter(([key]) => !keys.includes(key as K));
  return Object.fromEntries(left) as Omit<T, K>;
}
