// What a test can look at, change and break in the embedded server. docs/testing.md explains it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseClient, Lock } from '@metaparticle/sync';
import { startLeaseServer, type ManualLeaseServer } from '@metaparticle/sync/testing';

describe('when something goes wrong', () => {
  let api: ManualLeaseServer;
  let client: LeaseClient;

  beforeEach(async () => {
    api = await startLeaseServer({ clock: 'manual' });
    client = new LeaseClient({ kubeConfig: api.kubeConfig });
  });

  afterEach(async () => {
    await api.advanceUntil(client.close());
    await api.close();
  });

  it('stops when an operator deletes the Lease', async () => {
    const handle = await new Lock('settle-payments', { client }).acquire();
    api.leases.delete('default', 'settle-payments');
    await api.advance(0); // the watch tells of it
    expect(handle.isHeld()).toBe(false);
    expect(handle.signal.reason).toMatchObject({ reason: 'deleted' });
  });

  it('waits for a holder that another program wrote', async () => {
    const now = api.date.toISOString().replace('Z', '000Z'); // Kubernetes has microseconds
    api.leases.create({
      metadata: { name: 'settle-payments' },
      spec: {
        holderIdentity: 'go-service',
        leaseDurationSeconds: 15,
        acquireTime: now,
        renewTime: now,
      },
    });
    const lock = new Lock('settle-payments', { client });
    expect(await lock.tryAcquire()).toBeNull();
    await api.advanceUntil(lock.acquire());
    expect(Math.floor(api.now / 1_000)).toBe(15);
  });

  it('needs two writes for a lock and its release', async () => {
    const lock = new Lock('settle-payments', { client });
    await lock.withLock(() => undefined);
    api.requests.reset();
    await lock.withLock(() => undefined);
    expect(api.requests.count({ verb: ['create', 'update'], name: 'settle-payments' })).toBe(2);
  });

  it('acquires although a reply is lost', async () => {
    const fault = api.faults.dropAfterCommit({ match: { verb: 'update' }, times: 1 });
    const handle = await api.advanceUntil(new Lock('settle-payments', { client }).acquire());
    expect([handle.isHeld(), fault.hits]).toEqual([true, 1]);
  });

  it('notices a watch that delivers nothing', async () => {
    // A client of its own, as another pod has it: locks of one client hear of each other without a watch.
    const other = new LeaseClient({ kubeConfig: api.kubeConfig });
    const handle = await new Lock('settle-payments', { client }).acquire();
    const waiting = new Lock('settle-payments', { client: other }).acquire();
    await api.advance(0); // it has looked, and waits for an event

    const stall = api.faults.stallWatch({ which: 'open' });
    await handle.release();
    await api.advanceUntil(waiting);

    expect(stall.hits).toBeGreaterThan(0);
    expect(api.now).toBeLessThan(5_000);
    await api.advanceUntil(other.close());
  });

  it('says which permission is missing', async () => {
    const kubeConfig = api.kubeConfigFor({ user: 'report-service', namespace: 'reports' });
    const limited = new LeaseClient({ kubeConfig });
    api.faults.forbid({ user: 'report-service', verb: 'update' });
    await expect(new Lock('report', { client: limited }).acquire()).rejects.toThrow('update');
    await api.advanceUntil(limited.close());
  });
});
