// Options that cannot be meant: refused before anything is asked, with the value and what is allowed.
import { describe, expect, it } from '@jest/globals';
import { InvalidOptionError, LeaseClient, Lock } from '@metaparticle/sync';
import { expectError, rejection, thrown } from '../../support/promises.js';
import { Cluster } from '../../support/cluster.js';

type BadOption = [option: string, construct: () => unknown, ...parts: string[]];

describe('bad options', () => {
  it.each<BadOption>([
    [
      'name',
      () => new Lock('Settle Payments'),
      'name: must be a name for a Lease',
      '"Settle Payments"',
    ],
    [
      'leaseDurationMs',
      () => new Lock('job', { leaseDurationMs: 15_500 }),
      'leaseDurationMs: must be whole seconds, since the Lease stores seconds; got 15500',
    ],
    [
      'renewIntervalMs',
      () => new Lock('job', { renewIntervalMs: 7_000 }),
      '2 × 7000 + 1000 = 15000 > 15000 − 2000 = 13000; take at most 6000',
    ],
    ['renewIntervalMs', () => new Lock('job', { renewIntervalMs: 900 }), 'from 1000 to', 'got 900'],
    ['marginMs', () => new Lock('job', { marginMs: 100 }), 'from 500 to', 'got 100'],
    [
      'leaseDuration',
      () => new Lock('job', { leaseDuration: 15 } as object),
      'leaseDuration: is not an option; there are leaseDurationMs, renewIntervalMs',
    ],
    ['kubeconfig', () => new LeaseClient({ kubeconfig: 1 } as object), 'there are kubeConfig,'],
    [
      'client',
      () => new Lock('job', { client: {} as never }),
      'must be a LeaseClient of this copy',
    ],
  ])('%s: refused at construction, with value and bound', (option, construct, ...parts) => {
    const error = expectError(
      thrown(construct),
      InvalidOptionError,
      'ERR_INVALID_OPTION',
      ...parts,
    );
    expect(error.option).toBe(option);
  });

  it('are refused in calls, too, before anything is asked', async () => {
    await using cluster = await Cluster.start();
    const lock = cluster.lock('job');
    const calls: [string, Promise<unknown>][] = [
      ['timeoutMs', lock.acquire({ timeoutMs: -1 })],
      ['timeoutMs', lock.acquire({ timeoutMs: NaN })],
      ['timeoutMs', lock.acquire({ timeoutMs: 0 })],
      ['timeout', lock.acquire({ timeout: 5 } as object)],
      ['timeoutMs', lock.tryAcquire({ timeoutMs: 5 } as object)],
      ['timeoutMs', lock.withLock(() => 1, { timeoutMs: -1 })],
    ];
    for (const [option, call] of calls) {
      const error = await rejection(call);
      expect(expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION').option).toBe(option);
    }
    expect(cluster.api.requests.total).toBe(0);
  });
});
