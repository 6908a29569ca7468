// Records as other electors leave them, read by locks and elections that wait.
import { describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient, Lock } from '../../../src/index.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { ApiObject, Json } from '../../../tools/harness/raw.js';
import { testOnCluster } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';

const OURS = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
/** Until all listen. */
const SETTLING_MS = 1_500;
/** The record of the stranger. A form of a release that is not recognized is waited out, for all of it. */
const HELD_SECONDS = 600;
const TAKE_LIMIT_MS = 90_000;
const LIMIT_MS = 150_000;

/** How a Lease that another process holds is let go of. */
interface Form {
  readonly what: string;
  /** The spec that is left; `null` for a Lease that is deleted. */
  readonly spec: (held: Json, time: string) => Json | null;
  /** How long it stays closed afterwards, at least. */
  readonly closedMs: number;
}

const NO_TIMES = { acquireTime: null, renewTime: null };

const RELEASES: readonly Form[] = [
  {
    what: 'empty holder, duration 1, times now (client-go, and ours)',
    spec: (held, time) => ({
      ...held,
      ...{ holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time },
    }),
    closedMs: 0,
  },
  {
    what: 'null holder, times kept',
    spec: (held) => ({ ...held, holderIdentity: null }),
    closedMs: 0,
  },
  {
    what: 'null holder and times, duration kept (Java)',
    spec: (held) => ({ ...held, holderIdentity: null, ...NO_TIMES }),
    closedMs: 0,
  },
  {
    what: 'all fields null (kubert, kube-lease-manager)',
    spec: (held) => Object.fromEntries(Object.keys(held).map((field) => [field, null])),
    closedMs: 0,
  },
  {
    what: 'old holder, duration 1 (fabric8)',
    spec: (held, time) => ({ ...held, leaseDurationSeconds: 1, renewTime: time }),
    closedMs: 1_000,
  },
  { what: 'no Lease any more', spec: () => null, closedMs: 0 },
];

/** Records of a holder that lack what is optional. */
const INCOMPLETE: readonly { what: string; spec: Json; closedMs: number }[] = [
  { what: 'no duration: ours', spec: { leaseDurationSeconds: undefined }, closedMs: 4_000 },
  { what: 'no renewTime', spec: { renewTime: undefined }, closedMs: 2_000 },
  { what: 'no acquireTime', spec: { acquireTime: undefined }, closedMs: 2_000 },
  { what: 'no transitions', spec: { leaseTransitions: undefined }, closedMs: 2_000 },
  {
    what: 'nothing but a holder',
    spec: {
      ...{ leaseDurationSeconds: undefined, leaseTransitions: undefined },
      ...{ acquireTime: undefined, renewTime: undefined },
    },
    closedMs: 4_000,
  },
];

function timeNow(): string {
  return new Date().toISOString().replace('Z', '000Z');
}

function heldSpec(leaseDurationSeconds: number): Json {
  const time = timeNow();
  const times = { acquireTime: time, renewTime: time };
  return { holderIdentity: 'stranger', leaseDurationSeconds, ...times, leaseTransitions: 3 };
}

interface Taken {
  readonly at: number;
  readonly token: bigint;
}

type Take = (name: string, client: LeaseClient) => Promise<Taken>;

const takeLock: Take = async (name, client) => {
  const handle = await new Lock(name, { client, ...OURS }).acquire({ timeoutMs: TAKE_LIMIT_MS });
  return { at: now(), token: handle.fencingToken };
};

const takeLead: Take = (name, client) =>
  new Promise((resolve, reject) => {
    const election = new Election(name, {
      ...{ client, ...OURS },
      onStartedLeading: ({ fencingToken: token }) => resolve({ at: now(), token }),
    });
    // It ends with the client.
    election.run().catch(reject);
    const late = (): void => reject(new Error(`no leader after ${TAKE_LIMIT_MS} ms`));
    setTimeout(late, TAKE_LIMIT_MS).unref();
  });

/** Each case once for a lock and once for an election, all at the same time. */
async function forBoth<C extends { readonly what: string }>(
  cases: readonly C[],
  check: (one: C, name: string, take: Take) => Promise<void>,
): Promise<void> {
  const all = cases.flatMap((one, n) => [
    { one, name: `lock-${n}`, take: takeLock },
    { one, name: `election-${n}`, take: takeLead },
  ]);
  const results = await Promise.allSettled(
    all.map(({ one, name, take }) => check(one, name, take)),
  );
  const failures = results.flatMap((result, n) =>
    result.status === 'fulfilled' ? [] : [`${all[n]?.name}, ${all[n]?.one.what}: ${result.reason}`],
  );
  expect(failures).toEqual([]);
}

async function create(cluster: Cluster, name: string, spec: Json): Promise<ApiObject> {
  const { status, body } = await cluster.request('POST', cluster.leases, {
    metadata: { name },
    spec,
  });
  expect(status).toBe(201);
  return body;
}

async function release(
  cluster: Cluster,
  client: LeaseClient,
  form: Form,
  name: string,
  take: Take,
) {
  const spec = heldSpec(HELD_SECONDS);
  const held = await create(cluster, name, spec);
  let taken: Taken | undefined;
  const taking = take(name, client).then((value) => (taken = value));
  await sleep(SETTLING_MS);
  expect(taken).toBeUndefined();
  const left = form.spec(spec, timeNow());
  const releasedAt = now();
  const path = `${cluster.leases}/${name}`;
  const { status, body } =
    left === null
      ? await cluster.request('DELETE', path)
      : await cluster.request('PUT', path, { ...held, spec: left });
  expect(status).toBe(200);
  const { at, token } = await taking;
  expect(at - releasedAt).toBeGreaterThanOrEqual(form.closedMs);
  if (left === null) expect(token).toBeGreaterThan(BigInt(held.metadata.resourceVersion));
  else expect(token).toBe(BigInt(body.metadata.resourceVersion));
}

async function wait(
  cluster: Cluster,
  client: LeaseClient,
  { spec, closedMs }: (typeof INCOMPLETE)[number],
  name: string,
  take: Take,
): Promise<void> {
  const { metadata } = await create(cluster, name, { ...heldSpec(2), ...spec });
  const sinceAt = now();
  const { at, token } = await take(name, client);
  // From when it was first seen, so there is no way to be early.
  expect(at - sinceAt).toBeGreaterThanOrEqual(closedMs);
  expect(token).toBe(BigInt(metadata.resourceVersion));
  const { body } = await cluster.request('GET', `${cluster.leases}/${name}`);
  expect(body.spec).toMatchObject({ holderIdentity: 'ours', leaseDurationSeconds: 4 });
}

function testWithClient(
  name: string,
  run: (cluster: Cluster, client: LeaseClient) => Promise<void>,
): void {
  testOnCluster(name, LIMIT_MS, async ({ cluster }) => {
    await using client = new LeaseClient({ kubeConfig: cluster.kubeConfig, identity: 'ours' });
    await run(cluster, client);
  });
}

describe('A lock and an election that wait', () => {
  testWithClient('take the lease after every form of a release', (cluster, client) =>
    forBoth(RELEASES, (form, name, take) => release(cluster, client, form, name, take)),
  );
  testWithClient('wait for a holder that leaves out what is optional', (cluster, client) =>
    forBoth(INCOMPLETE, (one, name, take) => wait(cluster, client, one, name, take)),
  );
});
