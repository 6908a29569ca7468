import { describe, expect, it } from '@jest/globals';
import { ApiError, ApiUnreachableError, LockLostError } from '../../../src/errors.js';
import type { Lease } from '../../../src/lease/record.js';
import type { WriteOutcome } from '../../../src/lease/store.js';
import {
  foreignLease,
  leaseWith,
  terms,
  vacantLease,
} from '../../../tools/harness/protocol/fixtures.js';
import { Keeper } from '../../../src/lease/keeper.js';
import { decoration, hooksTelling, settled, stage, type Call } from './manual.js';

const unreachable = new ApiUnreachableError('no answer', 'server');
const invalid = new ApiError(422, 'Invalid', 'no');

/** What the server shows once this write landed as `version`. */
function landed({ base, change }: Call, version: bigint): Lease {
  if (base === null || change === null) throw new Error('not a write');
  return leaseWith(change, version, { uid: base.uid });
}

/** Holds since time 0, by token 10 and version 11. */
async function holding(over: Parameters<typeof terms>[1] = {}) {
  const all = stage(terms('n1', over));
  await settled();
  await all.store.last.answer({ kind: 'found', lease: vacantLease(10n) });
  await all.store.last.answer({ kind: 'written', lease: landed(all.store.last, 11n) });
  expect(all.told).toEqual(['acquired']);
  return all;
}

describe('a keeper', () => {
  it('reads, claims and holds, and says so in the tick of the evidence', async () => {
    const { keeper, store, told } = await holding();
    expect(store.calls.map((call) => call.verb)).toEqual(['read', 'write']);
    expect(keeper.token).toBe(10n);
    expect(keeper.isHeld()).toBe(true);
    expect(keeper.remainingMs()).toBe(13_000);
    expect(told).toEqual(['acquired']);
  });

  it('holds as soon as the watch shows its claim, before the answer', async () => {
    const { store, watch, told, keeper } = stage(terms('n1'));
    await settled();
    await store.last.answer({ kind: 'found', lease: vacantLease(10n) });
    watch.listener?.news({ kind: 'present', lease: landed(store.last, 11n) });
    expect(told).toEqual(['acquired']);
    await store.last.answer({ kind: 'written', lease: landed(store.last, 11n) });
    expect(told).toEqual(['acquired']);
    expect(keeper.isHeld()).toBe(true);
  });

  it('claims straight from the event of a release, without a read', async () => {
    const { store, watch } = stage(terms('n1'));
    await settled();
    await store.last.answer({ kind: 'found', lease: foreignLease(10n, 5) });
    watch.listener?.news({ kind: 'present', lease: vacantLease(11n) });
    expect(store.last).toMatchObject({ verb: 'write', base: { version: 11n } });
    expect(store.calls).toHaveLength(2);
  });

  it.each([
    ['known from before loses no race: the next release is claimed at once', 'before', 'write'],
    ['that it was told of loses a race: the next release finds it hesitant', 'told', 'none'],
  ])('who claims a vacancy %s', async (_, when, next) => {
    const { clock, store, watch, view, keeper } = await holding();
    watch.listener?.live(true);
    keeper.stop();
    await store.last.answer({ kind: 'written', lease: landed(store.last, 12n) });
    const ports = { clock, store, view, decoration, warn: () => undefined };
    const again = new Keeper(ports, terms('n2', { identity: 'pod-n1' }), hooksTelling([]));
    const tell = (lease: Lease): void => watch.listener?.news({ kind: 'present', lease });
    if (when === 'told') {
      tell(foreignLease(13n, 5));
      await settled();
      tell(vacantLease(14n));
    }
    await settled();
    const claim = store.last;
    expect(claim).toMatchObject({ verb: 'write', base: { version: when === 'told' ? 14n : 12n } });
    tell(foreignLease(15n, 6));
    await claim.answer({ kind: 'conflict' });
    const calls = store.calls.length;
    tell(vacantLease(16n));
    expect(store.calls.slice(calls).map(({ verb }) => verb)).toEqual(next === 'none' ? [] : [next]);
    await clock.advance(500);
    expect(store.last).toMatchObject({ verb: 'write', base: { version: 16n } });
    again.abandon();
  });

  it('renews on time, measured from the send, and goes on for ever', async () => {
    const { clock, store, keeper } = await holding();
    for (let version = 12n; version < 22n; version++) {
      await clock.advance(1_999);
      const before = store.calls.length;
      await clock.advance(1);
      expect(store.calls).toHaveLength(before + 1);
      await store.last.answer({ kind: 'written', lease: landed(store.last, version) });
    }
    expect(keeper.remainingMs()).toBe(13_000);
    expect(clock.timers).toBe(1);
  });

  it('aborts the signal at the end of belief whatever the requests do, and is over', async () => {
    const { clock, keeper, told } = await holding();
    await clock.advance(12_999);
    expect(keeper.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(keeper.signal.reason).toBeInstanceOf(LockLostError);
    expect(keeper.signal.reason).toMatchObject({ reason: 'expired', fencingToken: 10n });
    expect(told).toEqual(['acquired', 'ended']);
    expect(clock.timers).toBe(1); // the watch lingers
  });

  it('asks the clock, not a flag: a blocked event loop cannot keep belief alive', async () => {
    const { clock, keeper } = await holding();
    clock.block(13_000);
    expect(keeper.signal.aborted).toBe(false);
    expect(keeper.isHeld()).toBe(false);
    expect(keeper.signal.aborted).toBe(true);
    expect(keeper.remainingMs()).toBe(0);
  });

  it('counts suspension against belief', async () => {
    const { clock, keeper } = await holding();
    clock.suspend(13_000);
    expect(keeper.isHeld()).toBe(false);
  });

  it.each([
    ['a foreign holder', { kind: 'present', lease: foreignLease(12n, 9) }, 'taken-over'],
    ['its record vacated', { kind: 'present', lease: vacantLease(12n) }, 'taken-over'],
    ['a deletion', { kind: 'absent', version: 12n }, 'deleted'],
    ['another uid', { kind: 'present', lease: vacantLease(12n, { uid: 'uid-2' }) }, 'deleted'],
  ] as const)('loses in the same tick when the watch shows %s', async (_, news, reason) => {
    const { watch, keeper, told } = await holding();
    watch.listener?.news(news);
    expect(keeper.isHeld()).toBe(false);
    expect(keeper.signal.reason).toMatchObject({ reason });
    expect(told).toEqual(['acquired', 'ended']);
  });
});

describe('a claim that is answered by', () => {
  async function claimed() {
    const all = stage(terms('n1'));
    await settled();
    await all.store.last.answer({ kind: 'found', lease: vacantLease(10n) });
    return { ...all, claim: all.store.last };
  }

  it('tells of a loss by suspension, unasked, when the next renewal is due', async () => {
    const { clock, keeper } = await holding();
    await clock.advance(500);
    clock.suspend(13_000);
    await clock.advance(1_500);
    expect(keeper.signal.reason).toMatchObject({ reason: 'expired' });
  });

  it('a conflict is looked into, and a holder is waited for', async () => {
    const { store, claim, told } = await claimed();
    await claim.answer({ kind: 'conflict' });
    expect(store.last.verb).toBe('read');
    await store.last.answer({ kind: 'found', lease: foreignLease(11n, 5) });
    expect(store.calls).toHaveLength(3);
    expect(told).toEqual([]);
  });

  it('nothing usable is looked for; what landed counts from its send', async () => {
    const { clock, store, claim, told, keeper } = await claimed();
    await clock.advance(2_000);
    await claim.answer({ kind: 'unknown', error: unreachable });
    expect(store.last.verb).toBe('read');
    await store.last.answer({ kind: 'found', lease: landed(claim, 11n) });
    expect(told).toEqual(['acquired']);
    expect(keeper.remainingMs()).toBe(11_000);
  });

  it('nothing usable is written again when it did not land', async () => {
    const { clock, store, claim } = await claimed();
    await claim.answer({ kind: 'unknown', error: unreachable });
    await store.last.answer({ kind: 'found', lease: vacantLease(10n) });
    await clock.advance(250);
    expect(store.last).toMatchObject({ verb: 'write', base: { version: 10n } });
    expect(store.last.change?.record.renewTime).not.toBe(claim.change?.record.renewTime);
  });

  it('a refusal fails at once', async () => {
    const { claim, told } = await claimed();
    await claim.answer({ kind: 'refused', error: invalid, transient: false });
    expect(told).toEqual(['failed ERR_API', 'ended']);
  });

  it('a 404 finds the lease gone and makes it anew', async () => {
    const { store, claim } = await claimed();
    await claim.answer({ kind: 'missing' });
    expect(store.last.verb).toBe('create');
  });

  it('an answer past its belief is replaced, not believed', async () => {
    const { clock, store, claim, told } = await claimed();
    await clock.advance(13_000);
    await claim.answer({ kind: 'written', lease: landed(claim, 11n) });
    expect(told).toEqual([]);
    const again = store.calls.filter((call) => call.verb === 'write').at(-1);
    expect(again).toMatchObject({ base: { version: 11n }, change: { mark: { token: 11n } } });
  });
});

describe('a renewal that is answered by', () => {
  async function renewing() {
    const all = await holding();
    await all.clock.advance(2_000);
    return { ...all, renewal: all.store.last };
  }

  const outcomes: [string, WriteOutcome, string][] = [
    ['a conflict is looked into', { kind: 'conflict' }, 'read'],
    ['nothing usable is tried again', { kind: 'unknown', error: unreachable }, 'write'],
    ['a refusal is tried again', { kind: 'refused', error: invalid, transient: false }, 'write'],
    [
      'a busy server is tried again',
      { kind: 'refused', error: unreachable, transient: true },
      'write',
    ],
  ];

  it.each(outcomes)('%s, and belief stays what it was', async (_, outcome, next) => {
    const { clock, store, keeper, renewal } = await renewing();
    await renewal.answer(outcome);
    expect(keeper.remainingMs()).toBe(11_000);
    await clock.advance(outcome.kind === 'refused' && !outcome.transient ? 1_000 : 250);
    expect(store.calls).toHaveLength(4);
    expect(store.last.verb).toBe(next);
  });

  it('a conflict whose read falls silent is not waited for, and learnt when it comes', async () => {
    const { clock, store, keeper, renewal } = await renewing();
    await renewal.answer({ kind: 'conflict' });
    const read = store.last;
    read.options.onSilent?.();
    await clock.advance(250);
    expect(store.calls).toHaveLength(5);
    await read.answer({ kind: 'found', lease: foreignLease(12n, 9) });
    expect(keeper.signal.reason).toMatchObject({ reason: 'taken-over' });
  });

  it('edits by others do not set off a renewal each: one is on its way, on what is newest', async () => {
    const { store, watch, keeper, renewal } = await renewing();
    const edited = (version: bigint) => ({ ...landed(renewal, version), raw: `edit ${version}` });
    const before = { ...edited(12n), record: renewal.base!.record, mark: renewal.base!.mark };
    for (const version of [12n, 13n, 14n]) {
      watch.listener?.news({ kind: 'present', lease: { ...before, version } });
    }
    expect(store.calls).toHaveLength(3);
    expect(renewal.options.signal?.aborted).toBe(true);
    await renewal.answer({ kind: 'conflict' });
    expect(store.calls).toHaveLength(4);
    expect(store.last).toMatchObject({ verb: 'write', base: { version: 14n } });
    await store.last.answer({ kind: 'written', lease: landed(store.last, 15n) });
    expect(keeper.remainingMs()).toBe(13_000);
  });

  it('a 404 is a loss', async () => {
    const { keeper, renewal } = await renewing();
    await renewal.answer({ kind: 'missing' });
    expect(keeper.signal.reason).toMatchObject({ reason: 'deleted' });
  });

  it('an object of another uid is a loss: a lease that was made, not renewed', async () => {
    const { keeper, renewal } = await renewing();
    const made = { ...landed(renewal, 12n), uid: 'uid-2' };
    await renewal.answer({ kind: 'written', lease: made });
    expect(keeper.signal.reason).toMatchObject({ reason: 'deleted' });
  });

  it('a new version without its stamp extends nothing: something else changed the lease', async () => {
    const { store, keeper, renewal } = await renewing();
    const first = store.calls.find((call) => call.verb === 'write');
    if (first === undefined) throw new Error('no claim');
    await renewal.answer({ kind: 'written', lease: landed(first, 12n) });
    expect(keeper.remainingMs()).toBe(11_000);
    expect(store.calls).toHaveLength(4);
    expect(store.last).toMatchObject({ verb: 'write', base: { version: 12n } });
    await store.last.answer({ kind: 'written', lease: landed(store.last, 13n) });
    expect(keeper.remainingMs()).toBe(13_000);
  });

  it('the replaced version extends nothing', async () => {
    const { clock, store, keeper, renewal } = await renewing();
    const first = store.calls.find((call) => call.verb === 'write');
    if (first === undefined) throw new Error('no claim');
    await renewal.answer({ kind: 'written', lease: landed(first, 11n) });
    expect(keeper.remainingMs()).toBe(11_000);
    await clock.advance(250);
    expect(store.calls).toHaveLength(4);
  });

  it('silence is tried again beside, and a late answer still counts', async () => {
    const { clock, store, keeper, renewal } = await renewing();
    await clock.advance(650);
    renewal.options.onSilent?.();
    await clock.advance(250);
    expect(store.calls).toHaveLength(4);
    await renewal.answer({ kind: 'written', lease: landed(renewal, 12n) });
    expect(keeper.remainingMs()).toBe(12_100);
  });

  it('nothing before belief ends leaves no time to a request', async () => {
    const { renewal } = await renewing();
    expect(renewal.options).toMatchObject({
      deadline: 13_000,
      limitMs: 5_000,
      patienceMs: 11_000 / 3,
    });
  });
});

describe('stopping', () => {
  it('a holder vacates and ends when that is confirmed', async () => {
    const { keeper, store, told } = await holding();
    keeper.stop();
    expect(keeper.isHeld()).toBe(false);
    expect(store.last.change).toMatchObject({ record: { holder: '' }, mark: null });
    await store.last.answer({ kind: 'written', lease: landed(store.last, 12n) });
    expect(told).toEqual(['acquired', 'ended']);
    expect(keeper.end).toEqual({ how: 'released' });
    expect(keeper.signal.aborted).toBe(false);
  });

  it('ends after five seconds without an answer', async () => {
    const { keeper, clock } = await holding();
    keeper.stop();
    await clock.advance(4_999);
    expect(keeper.end).toBeNull();
    await clock.advance(1);
    expect(keeper.end).toEqual({ how: 'left' });
  });

  it('a candidate whose claim is on its way vacates what lands after all', async () => {
    const { keeper, store, told } = stage(terms('n1'));
    await settled();
    await store.last.answer({ kind: 'found', lease: vacantLease(10n) });
    const claim = store.last;
    keeper.stop();
    await claim.answer({ kind: 'written', lease: landed(claim, 11n) });
    expect(store.last.change).toMatchObject({ record: { holder: '' } });
    await store.last.answer({ kind: 'written', lease: landed(store.last, 12n) });
    expect(told).toEqual(['ended']);
    expect(keeper.token).toBeNull();
  });

  it('a candidate moves on the record that its lost claim named, adding nothing of its own', async () => {
    const { keeper, store, clock } = stage(terms('n1'));
    await settled();
    await store.last.answer({ kind: 'found', lease: vacantLease(10n) });
    const claim = store.last;
    expect(claim.decoration).toMatchObject({ labels: { app: 'x' } });
    keeper.stop();
    await claim.answer({ kind: 'unknown', error: unreachable });
    const doubt = store.last;
    expect(doubt.verb).toBe('read');
    await doubt.answer({ kind: 'found', lease: vacantLease(10n) });
    await clock.advance(250);
    expect(store.last.change?.bump).toMatch(/^n1\./);
    expect(store.last.decoration).toEqual({ labels: {}, annotations: {}, ownerReferences: [] });
  });

  it('before anything was done ends without a request', async () => {
    const { keeper, store, told } = stage(terms('n1'));
    keeper.stop();
    await settled();
    expect(store.calls).toEqual([]);
    expect(told).toEqual(['ended']);
  });

  it('from within a hook is fine', async () => {
    const all = stage(terms('n1', { aim: 'try' }));
    const { store, told, keeper } = all;
    await settled();
    await store.last.answer({ kind: 'found', lease: foreignLease(10n, 5) });
    expect(told).toEqual(['busy other', 'ended']);
    expect(keeper.end).toEqual({ how: 'withdrawn' });
  });
});

describe('warnings', () => {
  it('tell of a late renewal, a foreign edit and a refusal that lasts, once each', async () => {
    const { clock, store, warnings, watch } = await holding();
    const claim = store.last;
    watch.listener?.news({ kind: 'present', lease: landed(claim, 12n) });
    await clock.advance(2_000);
    await store.last.answer({ kind: 'refused', error: invalid, transient: false });
    for (let i = 0; i < 30; i++) {
      await clock.advance(250);
      await store.last.answer({ kind: 'refused', error: invalid, transient: false });
    }
    expect(warnings.map((one) => one.code)).toEqual([
      'FOREIGN_EDIT',
      'ACCESS_LOST',
      'RENEWAL_LATE',
    ]);
  });

  it('tell of another process that renews by our identity', async () => {
    const { store, watch, warnings } = stage(terms('n1', { identity: 'other' }));
    await settled();
    await store.last.answer({ kind: 'found', lease: foreignLease(10n, 5) });
    expect(warnings).toEqual([]);
    watch.listener?.news({ kind: 'present', lease: foreignLease(11n, 6) });
    expect(warnings.map((one) => one.code)).toEqual(['SAME_IDENTITY']);
  });
});
