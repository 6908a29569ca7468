// What works, but deserves a look: each warning with what brings it, and what does not.
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { LeaseClient, SyncError, SyncWarning, isSyncError } from '@metaparticle/sync';
import { Cluster, quickHeldMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

/** What went to the process instead of a function: shared, since there is one process. */
const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined).mock.calls;
afterAll(() => {
  jest.restoreAllMocks();
});

describe('there is no warning', () => {
  it('where nothing is wrong', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    const handle = await lock.acquire();
    const waiting = cluster.elsewhere('job', 'other').acquire();
    await cluster.advance(60_000);
    await handle.release();
    await (await waiting).release();
    await (await cluster.settled(lock.acquire())).release();
    expect(cluster.warned).toEqual([]);
  });

  it('of a foreign edit for a renewal whose answer was lost', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const handle = await cluster.lock('job').acquire();
    const drop = cluster.api.faults.dropAfterCommit({ match: update, times: 1 });
    await cluster.advance(10_000);
    expect(drop.hits).toBe(1);
    expect(handle.isHeld()).toBe(true);
    expect(cluster.warned).toEqual([]);
  });
});

describe('RENEWAL_LATE', () => {
  it('comes once over half of the time to renew has passed, and says why', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const fault = cluster.api.faults.status({ match: update, code: 500 });
    await cluster.until('the warning', () => cluster.warnings.length > 0);
    expect(handle.isHeld()).toBe(true);
    expect(handle.remainingMs()).toBeLessThan(quickHeldMs / 2);
    // It is tried again each 250 ms, which is when it is looked at.
    expect(handle.remainingMs()).toBeGreaterThanOrEqual(quickHeldMs / 2 - 250);
    fault.remove();
    await cluster.until('a renewal', () => handle.remainingMs() > quickHeldMs / 2);
    await cluster.advance(60_000);
    expect(cluster.warned).toEqual(['RENEWAL_LATE']);
    const [warning] = cluster.warnings;
    expect(warning?.message).toMatch(
      /^lock default\/job: over half of the time to renew it has passed/,
    );
    expect(isSyncError(warning?.cause, 'ERR_API_UNREACHABLE')).toBe(true);
  });
});

describe('FOREIGN_EDIT', () => {
  it('comes once where another writer changed the Lease, and the lock is kept', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    for (const value of ['1', '2', '3']) {
      await cluster.advance(600);
      cluster.api.leases.edit('default', 'job', ({ metadata }) => {
        metadata.labels = { edited: value };
      });
      await cluster.advance(0);
      expect(cluster.warned).toEqual(['FOREIGN_EDIT']);
    }
    await cluster.advance(5_000);
    expect(handle.isHeld()).toBe(true);
    expect(cluster.warned).toEqual(['FOREIGN_EDIT']);
    expect(cluster.warnings[0]?.message).toContain(
      'lock default/job: somebody else changed the Lease',
    );
    expect(cluster.api.leases.get('default', 'job')?.metadata.labels).toEqual({ edited: '3' });
  });
});

describe('ACCESS_LOST', () => {
  it('comes with the first renewal that is refused, and the lock is kept', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job', { leaseDurationMs: 15_000 }).acquire();
    const fault = cluster.api.faults.forbid(update);
    await cluster.until('the warning', () => cluster.warnings.length > 0);
    expect(cluster.now).toBe(1_000);
    fault.remove();
    await cluster.advance(10_000);
    expect(cluster.warned).toEqual(['ACCESS_LOST']);
    const words = 'lock default/job: refused for now: not allowed to update leases';
    expect(cluster.warnings[0]?.message).toContain(words);
    expect(isSyncError(cluster.warnings[0]?.cause, 'ERR_FORBIDDEN')).toBe(true);
    expect(handle.isHeld()).toBe(true);
  });
});

describe('SAME_IDENTITY', () => {
  it('comes when a second change of the record shows that another process renews as this one', async () => {
    await using cluster = await Cluster.start();
    await cluster.elsewhere('job', 'me').acquire();
    cluster
      .lock('job')
      .acquire()
      .catch(() => undefined);
    await cluster.advance(999);
    expect(cluster.warned).toEqual([]);
    await cluster.advance(60_000);
    expect(cluster.warned).toEqual(['SAME_IDENTITY']);
    const words = 'lock default/job: another process renews as me; identities must differ';
    expect(cluster.warnings[0]?.message).toBe(words);
  });
});

describe('warnings', () => {
  it('are SyncErrors, of a class of their own', async () => {
    await using cluster = await Cluster.start();
    await cluster.lock('job').acquire();
    cluster.api.faults.forbid(update, { times: 1 });
    await cluster.until('the warning', () => cluster.warnings.length > 0);
    expect(cluster.warnings[0]).toBeInstanceOf(SyncWarning);
    expect(cluster.warnings[0]).toBeInstanceOf(SyncError);
    expect(isSyncError(cluster.warnings[0], 'ACCESS_LOST')).toBe(true);
    expect(JSON.parse(JSON.stringify(cluster.warnings[0]))).toMatchObject({
      name: 'SyncWarning',
      code: 'ACCESS_LOST',
      cause: { code: 'ERR_FORBIDDEN', verb: 'update' },
    });
  });

  it('of one matter come once per client, those of another lock by themselves', async () => {
    await using cluster = await Cluster.start();
    const first = await cluster.lock('a').acquire();
    await cluster.lock('b').acquire();
    const fault = cluster.api.faults.forbid(update);
    await cluster.until('two warnings', () => cluster.warnings.length >= 2);
    fault.remove();
    await first.release();
    await cluster.lock('a').acquire();
    const again = cluster.api.faults.forbid({ ...update, name: 'a' }, { times: 1 });
    await cluster.advance(1_500);
    expect(again.hits).toBe(1);
    // With so short a lease, a refusal makes a renewal late besides: that is another matter.
    const refused = cluster.warnings.filter(({ code }) => code === 'ACCESS_LOST');
    const about = refused.map(({ message }) => /lock (\S+):/.exec(message)?.[1]);
    expect(about.sort()).toEqual(['default/a', 'default/b']);
  });

  it('go to the process where no function is given for them', async () => {
    await using cluster = await Cluster.start();
    await using client = new LeaseClient({ kubeConfig: cluster.api.kubeConfig });
    await cluster.lock('unheard', { client }).acquire();
    cluster.api.faults.forbid(update, { times: 1 });
    const told = (): unknown[][] => emitted.filter(([text]) => String(text).includes('/unheard'));
    await cluster.until('the warning', () => told().length > 0);
    expect(told()).toEqual([
      [
        expect.stringContaining('lock default/unheard: refused for now'),
        { type: 'SyncWarning', code: 'ACCESS_LOST' },
      ],
    ]);
  });

  it('to a function that throws cost no lock', async () => {
    await using cluster = await Cluster.start();
    const client = cluster.client({
      onWarning: () => {
        throw new Error('a fault of the caller');
      },
    });
    const handle = await cluster.lock('job', { client }).acquire();
    cluster.api.faults.forbid(update, { times: 1 });
    await cluster.advance(quickHeldMs + 500);
    expect(handle.isHeld()).toBe(true);
    expect(await handle.release()).toBe(true);
    expect(emitted.flat().map(String)).toContain('Error: a fault of the caller');
  });
});
