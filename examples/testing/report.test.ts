// Tests of the service against the embedded Lease API: no cluster, no mocks.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ForbiddenError, LeaseClient, Lock } from '@metaparticle/sync';
import { startLeaseServer, type ManualLeaseServer } from '@metaparticle/sync/testing';
import { writeReport } from './report.js';

describe('the stock report', () => {
  let api: ManualLeaseServer;
  let client: LeaseClient;
  let lock: Lock;
  let written: { page: number; fencingToken: bigint }[];
  const store = {
    write: (page: number, fencingToken: bigint) => {
      written.push({ page, fencingToken });
      return Promise.resolve();
    },
  };

  beforeEach(async () => {
    api = await startLeaseServer({ clock: 'manual' });
    client = new LeaseClient({ kubeConfig: api.kubeConfig });
    lock = new Lock('stock-report', { client });
    written = [];
  });

  afterEach(async () => {
    await api.advanceUntil(client.close());
    await api.close();
  });

  it('is written, and the lock is free again', async () => {
    expect(await writeReport(lock, store, 3)).toBe('written');
    expect(written.map(({ page }) => page)).toEqual([1, 2, 3]);
    expect(api.leases.get('default', 'stock-report')?.spec.holderIdentity).toBe('');
  });

  it('carries a greater token each time', async () => {
    await writeReport(lock, store, 1);
    await writeReport(lock, store, 1);
    const [first, second] = written;
    expect(second?.fencingToken).toBeGreaterThan(first?.fencingToken ?? 0n);
  });

  it('is left to the process that is writing it', async () => {
    await using other = await lock.acquire();
    expect(await writeReport(lock, store, 3)).toBe('busy');
    expect([written, other.isHeld()]).toEqual([[], true]);
  });

  it('stops when another process takes the lock away', async () => {
    const robbed = {
      write: async (page: number, fencingToken: bigint) => {
        await store.write(page, fencingToken);
        api.leases.edit('default', 'stock-report', ({ spec }) => {
          spec.holderIdentity = 'another-process';
        });
        await api.advance(0); // the watch tells of it
      },
    };
    expect(await writeReport(lock, robbed, 3)).toBe('interrupted');
    expect(written).toHaveLength(1);
  });

  it('is written although the reply to a write is lost', async () => {
    const fault = api.faults.dropAfterCommit({ times: 1 });
    // The second try comes after a pause, so time has to pass.
    expect(await api.advanceUntil(writeReport(lock, store, 3))).toBe('written');
    expect(fault.hits).toBe(1);
  });

  it('names the permission that is missing', async () => {
    api.faults.forbid({ verb: 'create' });
    await expect(writeReport(lock, store, 3)).rejects.toThrow(ForbiddenError);
  });
});
