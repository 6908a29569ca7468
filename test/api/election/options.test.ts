// What an election refuses before it asks anything of the API server: hazards H6 and H7 of other electors, which do not
// check their numbers against each other, and all options that only elections have.
import { describe, expect, it } from '@jest/globals';
import { Election, InvalidOptionError, LeaseClient } from '@metaparticle/sync';
import { candidate } from '../../support/candidate.js';
import { expectError, rejection, thrown } from '../../support/promises.js';
import { Cluster } from '../../support/cluster.js';

const onStartedLeading = (): void => undefined;
const make = (options: object): Election => new Election('crown', { onStartedLeading, ...options });

type Refused = [what: string, options: object, option: string, ...parts: string[]];

describe('the options of an election', () => {
  it.each<Refused>([
    [
      'H6: no room for a missed renewal before belief ends',
      { leaseDurationMs: 15_000, marginMs: 1_000, renewIntervalMs: 7_000 },
      'renewIntervalMs',
      '2 × 7000 + 1000 = 15000 > 15000 − 1000 = 14000; take at most 6500',
    ],
    [
      'H6: belief as long as the lease',
      { leaseDurationMs: 15_000, marginMs: 0 },
      'marginMs',
      'from 500 to',
    ],
    [
      'H6: a margin that leaves no time to renew',
      { leaseDurationMs: 15_000, marginMs: 14_000 },
      'marginMs',
      '2 × 1000 − 1000 ms for an attempt = 12000',
    ],
    [
      'H7: a duration that the wire would shorten to one second',
      { leaseDurationMs: 1_900 },
      'leaseDurationMs',
      'from 4000 to 2147483647000; got 1900',
    ],
    [
      'H7: a duration that the wire would shorten to nothing',
      { leaseDurationMs: 500 },
      'leaseDurationMs',
      'from 4000 to 2147483647000; got 500',
    ],
    ['an empty identity is refused', { identity: '' }, 'identity', 'non-blank', 'got ""'],
    ['a blank identity', { identity: ' ' }, 'identity', 'non-blank', 'got " "'],
    ['a namespace that cannot be', { namespace: 'Team' }, 'namespace', 'lower-case'],
    ['a drain without a number', { drainTimeoutMs: '30s' }, 'drainTimeoutMs', 'got "30s"'],
    ['a drain that is none', { drainTimeoutMs: NaN }, 'drainTimeoutMs', 'got NaN'],
    ['events without a decision', { recordEvents: 'yes' }, 'recordEvents', 'got "yes"'],
    ['no callback', { onStartedLeading: null }, 'onStartedLeading', 'must be a function'],
    ['a callback of another kind', { onStoppedLeading: 'x' }, 'onStoppedLeading', 'got "x"'],
    ['a listener of another kind', { onNewLeader: {} }, 'onNewLeader', 'must be a function'],
    ['a time-out as of a lock', { timeoutMs: 5 }, 'timeoutMs', 'is not an option'],
    ['a client of another kind', { client: {} }, 'client', 'must be a LeaseClient'],
    [
      'a Pod as owner',
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-1', uid: 'u' }] },
      'ownerReferences',
      'must not name a Pod',
    ],
  ])('%s: refused at construction', (_, options, option, ...parts) => {
    const error = thrown(() => make(options));
    const refused = expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', ...parts);
    expect(refused.option).toBe(option);
  });

  it('refuses a client without an identity', () => {
    const error = thrown(() => new LeaseClient({ identity: '' }));
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', 'identity: must be a non-blank');
  });

  it('takes the numbers of client-go, 15, 10 and 2 s, and no drain or one without an end', () => {
    const timings = { leaseDurationMs: 15_000, marginMs: 5_000, renewIntervalMs: 2_000 };
    for (const drainTimeoutMs of [0, Infinity, undefined]) {
      expect(make({ ...timings, drainTimeoutMs })).toBeInstanceOf(Election);
    }
  });

  it('are refused in calls, too, before anything is asked', async () => {
    await using cluster = await Cluster.start();
    const { election } = candidate(cluster, 'a');
    const calls: [string, () => unknown][] = [
      ['signal', () => election.run({ signal: {} as AbortSignal })],
      ['timeoutMs', () => election.run({ timeoutMs: 5 } as object)],
      ['cooldownMs', () => election.stepDown({ cooldownMs: -1 })],
      ['cooldownMs', () => election.stepDown({ cooldownMs: NaN })],
      ['coolDownMs', () => election.stepDown({ coolDownMs: 5 } as object)],
      ['signal', () => election.observe({ signal: 'x' as never })],
    ];
    for (const [option, call] of calls) {
      const error = await rejection(Promise.resolve().then(call));
      expect(expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION').option).toBe(option);
    }
    expect(cluster.api.requests.total).toBe(0);
  });
});
