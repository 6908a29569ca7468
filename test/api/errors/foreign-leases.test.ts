// Leases that others wrote: vacant, held, odd, and changed under a lock that is held.
import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError, LockLostError } from '@metaparticle/sync';
import { expectError, rejection } from '../../support/promises.js';
import { Cluster, longAgo, quick } from '../../support/cluster.js';

/** Of several that wait not all are to write at once: each that saw one other holder holds off by up to 25 ms. */
const HOLD_OFF_MS = 25;

describe('a foreign record', () => {
  it.each([
    ['a null holder', { holderIdentity: null }],
    ['no holder', { holderIdentity: undefined }],
    ['an empty holder', { holderIdentity: '' }],
    [
      'nothing at all',
      {
        holderIdentity: undefined,
        leaseDurationSeconds: undefined,
        acquireTime: undefined,
        renewTime: undefined,
        leaseTransitions: undefined,
      },
    ],
    [
      'only nulls',
      {
        holderIdentity: null,
        leaseDurationSeconds: null,
        acquireTime: null,
        renewTime: null,
        leaseTransitions: null,
      },
    ],
  ])('with %s is vacant', async (_, spec) => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', spec);
    const handle = await cluster.lock('job').tryAcquire();
    expect(handle?.isHeld()).toBe(true);
    expect(cluster.spec('job')).toMatchObject({ holderIdentity: 'me', leaseDurationSeconds: 4 });
    expect(await handle?.release()).toBe(true);
  });

  it.each([
    ['no duration: for the time of our own', { leaseDurationSeconds: undefined }, 4_000],
    ['a null duration: likewise', { leaseDurationSeconds: null }, 4_000],
    ['a duration of its own: for that', { leaseDurationSeconds: 2 }, 2_000],
    [
      'times that do not parse: by our own clock',
      { renewTime: 'yesterday', acquireTime: 'x', leaseDurationSeconds: 2 },
      2_000,
    ],
    [
      'no times: likewise',
      { renewTime: null, acquireTime: undefined, leaseDurationSeconds: 2 },
      2_000,
    ],
    [
      'times in the future: likewise',
      { renewTime: '2099-01-01T00:00:00.000000Z', leaseDurationSeconds: 2 },
      2_000,
    ],
  ])('that is held is waited for, with %s', async (_, spec, waitMs) => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', spec);
    const handle = await cluster.settled(cluster.lock('job').acquire());
    expect(cluster.now).toBeGreaterThanOrEqual(waitMs);
    expect(cluster.now).toBeLessThan(waitMs + HOLD_OFF_MS);
    expect(await handle.release()).toBe(true);
  });

  it('that is held is named when the time of a wait is over', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const call = rejection(cluster.lock('job').acquire({ timeoutMs: 1_000 }));
    const error = await cluster.settled(call);
    const parts = [/^lock default\/job not acquired within 1000 ms: held by "stranger"$/];
    const timedOut = expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', ...parts);
    expect(timedOut.holder).toBe('stranger');
    expect(timedOut.cause).toBeUndefined();
  });

  it('with all transitions used up can be claimed', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '', leaseTransitions: 2 ** 31 - 1 });
    expect((await cluster.lock('job').tryAcquire())?.isHeld()).toBe(true);
    expect(cluster.spec('job').leaseTransitions).toBe(2 ** 31 - 1);
  });

  it('keeps what we do not understand', async () => {
    await using cluster = await Cluster.start({ extraSpecFields: ['newField'] });
    const metadata = {
      name: 'job',
      labels: { team: 'a' },
      annotations: { 'example.com/note': 'keep me', 'sync.metaparticle.io/term': 'no JSON' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-1' }],
      finalizers: ['example.com/guard'],
    };
    const spec = { holderIdentity: null, renewTime: longAgo, newField: { deep: [1, null] } };
    cluster.api.leases.create({ metadata, spec });
    const handle = await cluster.lock('job').acquire();
    const { annotations, ...rest } = metadata;
    const kept = { ...rest, annotations: { 'example.com/note': annotations['example.com/note'] } };
    const held = cluster.api.leases.get('default', 'job');
    expect(held).toMatchObject({ metadata: kept, spec: { newField: { deep: [1, null] } } });
    await handle.release();
    const after = cluster.api.leases.get('default', 'job');
    expect(after).toMatchObject({ metadata: kept, spec: { newField: { deep: [1, null] } } });
    expect(after?.metadata.annotations).toEqual(kept.annotations);
  });
});

type Edit = (cluster: Cluster) => void;
const edits: readonly (readonly [string, Edit, 'deleted' | 'taken-over', string])[] = [
  [
    'is deleted',
    ({ api }) => api.leases.delete('default', 'job'),
    'deleted',
    'the Lease was deleted',
  ],
  [
    'is deleted and created again',
    (cluster) => {
      cluster.api.leases.delete('default', 'job');
      cluster.occupy('job');
    },
    'deleted',
    'the Lease was deleted',
  ],
  [
    'gets another holder',
    ({ api }) =>
      api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = 'other')),
    'taken-over',
    'the Lease names another holder',
  ],
  [
    'is claimed by another elector',
    (cluster) => cluster.overtake('job'),
    'taken-over',
    'the Lease names another holder',
  ],
  [
    'is emptied',
    (cluster) => cluster.vacate('job'),
    'taken-over',
    'the Lease names another holder',
  ],
];

describe.each(edits)('a held Lease that %s', (_, edit, reason, words) => {
  it('is lost at once: the watch says so', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    await cluster.advance(2_500);
    const { total } = cluster.api.requests;
    edit(cluster);
    await cluster.advance(0);
    expect(handle.signal.aborted).toBe(true);
    expect(cluster.api.requests.total).toBe(total);
    const loss = expectError(handle.signal.reason, LockLostError, 'ERR_LOCK_LOST', words);
    expect(loss).toMatchObject({
      reason,
      lock: 'default/job',
      fencingToken: handle.fencingToken,
    });
    expect(handle.isHeld()).toBe(false);
    expect(await handle.release()).toBe(false);
  });

  it('is lost at the next renewal behind a stalled watch, and stays as it is', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.stallWatch();
    const handle = await cluster.lock('job').acquire();
    await cluster.advance(100);
    edit(cluster);
    const after = cluster.api.leases.get('default', 'job');
    await cluster.until('the loss', () => handle.signal.aborted);
    expect(cluster.now).toBe(quick.renewIntervalMs);
    expect(handle.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason });
    expect(await handle.release()).toBe(false);
    await cluster.advance(5_000);
    expect(cluster.api.leases.get('default', 'job')).toEqual(after);
  });
});
