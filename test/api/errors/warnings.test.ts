import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { LeaseClient, SyncError, SyncWarning, isSyncError } from '@metaparticle/sync';
import { sleep, until } from '../../support/promises.js';
import { SocketCluster, quickBeliefMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

/** Renewed every second, and not late before seven have passed: whatever the load of this machine. */
const unhurried = { leaseDurationMs: 15_000 } as const;

/** What went to the process instead of a function: shared, since there is one process. */
const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined).mock.calls;
afterAll(() => {
  jest.restoreAllMocks();
});

// One block, since Jest lets only tests of one block wait beside each other.
describe('warnings', () => {
  it.concurrent('there are none where nothing is wrong', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job', unhurried);
    const handle = await lock.acquire();
    const waiting = world.elsewhere('job', 'other', unhurried).acquire();
    await sleep(2_500);
    await handle.release();
    await (await waiting).release();
    await (await lock.acquire()).release();
    expect(world.warned).toEqual([]);
  });

  it.concurrent(
    'there are none for a renewal whose answer was lost: it is no foreign edit',
    async () => {
      await using world = await SocketCluster.start();
      world.api.faults.stallWatch();
      const handle = await world.lock('job', unhurried).acquire();
      const drop = world.api.faults.dropAfterCommit({ match: update, times: 1 });
      await sleep(3_500);
      expect(drop.hits).toBe(1);
      expect(handle.isHeld()).toBe(true);
      expect(world.warned).toEqual([]);
    },
  );

  it.concurrent('RENEWAL_LATE: over half of the time has passed', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    const fault = world.api.faults.status({ match: update, code: 500 });
    await until('the warning', () => world.warnings.length > 0, 4_000);
    expect(handle.isHeld()).toBe(true);
    expect(handle.remainingMs()).toBeLessThan(quickBeliefMs / 2);
    fault.remove();
    await until('a renewal', () => handle.remainingMs() > quickBeliefMs / 2, 2_000);
    expect(world.warned).toEqual(['RENEWAL_LATE']);
    const [warning] = world.warnings;
    expect(warning?.message).toMatch(
      /^lock default\/job: over half of the time to renew it has passed/,
    );
    expect(isSyncError(warning?.cause, 'ERR_API_UNREACHABLE')).toBe(true);
  });

  it.concurrent('FOREIGN_EDIT: somebody changed the Lease, and the lock is kept', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job', unhurried).acquire();
    await until('a watch', () => world.api.requests.counts.watch > 0);
    for (const value of ['1', '2', '3']) {
      await sleep(600);
      world.api.leases.edit('default', 'job', ({ metadata }) => {
        metadata.labels = { edited: value };
      });
    }
    const { renewTime } = world.spec('job');
    await until('a renewal', () => world.spec('job').renewTime !== renewTime, 3_000);
    expect(handle.isHeld()).toBe(true);
    expect(world.warned).toEqual(['FOREIGN_EDIT']);
    expect(world.warnings[0]?.message).toContain(
      'lock default/job: somebody else changed the Lease',
    );
    expect(world.api.leases.get('default', 'job')?.metadata.labels).toEqual({ edited: '3' });
  });

  it.concurrent('ACCESS_LOST: refused for now', async () => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    const fault = world.api.faults.forbid(update);
    await until('the warning', () => world.warnings.length > 0, 3_000);
    fault.remove();
    expect(world.warned).toEqual(['ACCESS_LOST']);
    const words = 'lock default/job: refused for now: not allowed to update leases';
    expect(world.warnings[0]?.message).toContain(words);
    expect(isSyncError(world.warnings[0]?.cause, 'ERR_FORBIDDEN')).toBe(true);
    expect(handle.isHeld()).toBe(true);
  });

  it.concurrent('are SyncErrors, of a class of their own', async () => {
    await using world = await SocketCluster.start();
    await world.lock('job').acquire();
    world.api.faults.forbid(update, { times: 1 });
    await until('the warning', () => world.warnings.length > 0, 3_000);
    expect(world.warnings[0]).toBeInstanceOf(SyncWarning);
    expect(world.warnings[0]).toBeInstanceOf(SyncError);
    expect(isSyncError(world.warnings[0], 'ACCESS_LOST')).toBe(true);
    expect(JSON.parse(JSON.stringify(world.warnings[0]))).toMatchObject({
      name: 'SyncWarning',
      code: 'ACCESS_LOST',
      cause: { code: 'ERR_FORBIDDEN', verb: 'update' },
    });
  });

  it.concurrent(
    'of one matter come once per client, those of another lock by themselves',
    async () => {
      await using world = await SocketCluster.start();
      const first = await world.lock('a').acquire();
      await world.lock('b').acquire();
      const fault = world.api.faults.forbid(update);
      await until('two warnings', () => world.warnings.length >= 2, 3_000);
      fault.remove();
      await first.release();
      await world.lock('a').acquire();
      world.api.faults.forbid({ ...update, name: 'a' }, { times: 1 });
      await sleep(1_500);
      // With so short a lease, a refusal makes a renewal late besides: that is another matter.
      const refused = world.warnings.filter(({ code }) => code === 'ACCESS_LOST');
      const about = refused.map(({ message }) => /lock (\S+):/.exec(message)?.[1]);
      expect(about.sort()).toEqual(['default/a', 'default/b']);
    },
  );

  it.concurrent('go to the process where nobody else wants them', async () => {
    await using world = await SocketCluster.start();
    const client = new LeaseClient({ kubeConfig: world.api.kubeConfig });
    await world.lock('unheard', { client }).acquire();
    world.api.faults.forbid(update, { times: 1 });
    const told = (): unknown[][] => emitted.filter(([text]) => String(text).includes('/unheard'));
    await until('the warning', () => told().length > 0, 3_000);
    await client.close();
    expect(told()).toEqual([
      [
        expect.stringContaining('lock default/unheard: refused for now'),
        { type: 'SyncWarning', code: 'ACCESS_LOST' },
      ],
    ]);
  });

  it.concurrent('to a function that throws cost nobody a lock', async () => {
    await using world = await SocketCluster.start();
    const client = world.client({
      onWarning: () => {
        throw new Error('a fault of the caller');
      },
    });
    const handle = await world.lock('job', { client }).acquire();
    world.api.faults.forbid(update, { times: 1 });
    await sleep(quickBeliefMs + 500);
    expect(handle.isHeld()).toBe(true);
    expect(await handle.release()).toBe(true);
    expect(emitted.flat().map(String)).toContain('Error: a fault of the caller');
  });
});
