// A client of the embedded server for the tests of its knobs: raw HTTP, nothing interpreted.
import { afterEach, beforeEach } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { LeaseServer, LeaseServerOptions } from '@metaparticle/sync/testing';
import { RawClient } from '../../../tools/harness/raw.js';
import type { ApiObject, Json, RawResponse } from '../../../tools/harness/raw.js';

export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
export const BY_NAME = 'fieldSelector=metadata.name%3Done';

/** Long enough for anything to arrive on loopback, short enough to wait for nothing. */
export const SILENCE_MS = 150;

/** One server and a client of it. */
export interface Bench {
  readonly api: LeaseServer;
  readonly client: RawClient;
}

/** A fresh server per test, closed after it. */
export function freshServer(options: LeaseServerOptions = {}): () => Bench {
  let bench: Bench | undefined;
  beforeEach(async () => {
    const api = await startLeaseServer(options);
    bench = { api, client: clientOf(api) };
  });
  afterEach(async () => {
    bench?.client.close();
    await bench?.api.close();
  });
  return () => {
    if (bench === undefined) throw new Error('a server is there only while tests run');
    return bench;
  };
}

/** Close it when it is not the one of `freshServer()`. */
export function clientOf(api: LeaseServer, user = 'admin'): RawClient {
  const { token } = api.kubeConfigFor({ user }).getCurrentUser();
  return new RawClient({ server: api.url, headers: { authorization: `Bearer ${token}` } });
}

export function lease(name = 'one', spec: Json = {}, metadata: Json = {}): Json {
  return { metadata: { name, ...metadata }, spec: { holderIdentity: 'a', ...spec } };
}

export function post({ client }: Bench, body: Json = lease()): Promise<RawResponse> {
  return client.request('POST', LEASES, body);
}

export function get({ client }: Bench, name = 'one'): Promise<RawResponse> {
  return client.request('GET', `${LEASES}/${name}`);
}

/** A CAS write onto what was read. */
export function put({ client }: Bench, read: ApiObject, spec: Json): Promise<RawResponse> {
  const body = { ...read, spec: { ...read.spec, ...spec } };
  return client.request('PUT', `${LEASES}/${read.metadata.name}`, body);
}

/** What a promise came to within a short time. */
export async function within<T>(
  promise: Promise<T>,
  ms = SILENCE_MS,
): Promise<T | 'pending' | 'failed'> {
  const settled = promise.catch(() => 'failed' as const);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'pending'>((resolve) => {
    timer = setTimeout(() => resolve('pending'), ms);
  });
  const outcome = await Promise.race([settled, limit]);
  clearTimeout(timer);
  return outcome;
}
