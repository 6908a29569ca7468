import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { LeaseClient, Lock } from '@metaparticle/sync';
import { startLeaseServer, type LeaseServer } from '@metaparticle/sync/testing';

let api: LeaseServer;
let client: LeaseClient;

beforeEach(async () => {
  api = await startLeaseServer();
  client = new LeaseClient({ kubeConfig: api.kubeConfig });
});

afterEach(async () => {
  await client.close();
  await api.close();
});

it('leaves the report to the process that is at it', async () => {
  const lock = new Lock('nightly-report', { client });
  await using held = await lock.acquire();
  expect(await lock.tryAcquire()).toBeNull();
  expect(held.isHeld()).toBe(true);
});

it('lets go', async () => {
  const lock = new Lock('nightly-report', { client });
  await lock.withLock(() => 'done');
  expect(api.leases.get('default', 'nightly-report')?.spec.holderIdentity).toBe('');
});

it('stops when an operator deletes the Lease', async () => {
  const handle = await new Lock('nightly-report', { client }).acquire();
  api.leases.delete('default', 'nightly-report');
  await new Promise((resolve) => handle.signal.addEventListener('abort', resolve));
  expect(handle.isHeld()).toBe(false);
});

it('waits for a holder of another kind', async () => {
  const now = `${new Date().toISOString().slice(0, 19)}.000000Z`;
  api.leases.create({
    metadata: { name: 'nightly-report' },
    spec: {
      holderIdentity: 'go-service',
      leaseDurationSeconds: 15,
      acquireTime: now,
      renewTime: now,
    },
  });
  expect(await new Lock('nightly-report', { client }).tryAcquire()).toBeNull();
});

it('needs two writes for a lock and its release', async () => {
  const lock = new Lock('nightly-report', { client });
  await lock.withLock(() => undefined);
  api.requests.reset();
  await lock.withLock(() => undefined);
  expect(api.requests.count({ verb: ['create', 'update'], name: 'nightly-report' })).toBe(2);
});

it('does not mind a lost reply', async () => {
  const fault = api.faults.dropAfterCommit({ match: { verb: 'update' }, times: 1 });
  const handle = await new Lock('nightly-report', { client }).acquire();
  expect([handle.isHeld(), fault.hits]).toEqual([true, 1]);
});

it('gives up in time when the API server is gone', async () => {
  const timings = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
  const handle = await new Lock('nightly-report', { client, ...timings }).acquire();
  api.pause();
  await new Promise((resolve) => handle.signal.addEventListener('abort', resolve));
  expect(handle.isHeld()).toBe(false);
  api.resume();
});

it('survives a half-open watch', async () => {
  const lock = new Lock('nightly-report', { client });
  const handle = await lock.acquire();
  const waiting = lock.acquire();
  api.faults.stallWatch({ which: 'open' });
  await handle.release();
  await (await waiting).release();
});

it('says which permission is missing', async () => {
  const kubeConfig = api.kubeConfigFor({ user: 'report-service', namespace: 'reports' });
  const limited = new LeaseClient({ kubeConfig });
  api.faults.forbid({ user: 'report-service', verb: 'update' });
  await expect(new Lock('nightly-report', { client: limited }).acquire()).rejects.toThrow('update');
  await limited.close();
});

