import { describe, expect, it } from '@jest/globals';
import { ApiUnreachableError, type SyncWarning } from '@metaparticle/sync';
import { Alarm } from '../../../src/lease/alarm.js';
import { beginWaiting } from '../../../src/lease/protocol/announcements.js';
import type { Present, Sight } from '../../../src/lease/protocol/sight.js';
import type { Holding, Seeking, State, Terms } from '../../../src/lease/protocol/state.js';
import { LeaseView } from '../../../src/lease/view.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { ScriptedWatch } from './manual.js';
import {
  at,
  foreignLease,
  key,
  leaseWith,
  pace,
  terms,
} from '../../../tools/harness/protocol/fixtures.js';

function scene(own: Terms = terms('mine')) {
  const warnings: SyncWarning[] = [];
  const view = new LeaseView(
    key,
    { watch: new ScriptedWatch(), clock: new ManualClock(), random: () => 0.5 },
    () => undefined,
  );
  const alarm = new Alarm(view, own, (warning) => warnings.push(warning));
  return { alarm, view, warnings, codes: () => warnings.map(({ code }) => code) };
}

function seen(version: bigint, over: Partial<Present> = {}): Present {
  const times = { serial: 1, firstSeenAt: 0, heardAt: 0, gapMs: null };
  return { kind: 'present', version, lease: foreignLease(version, 1), ...times, ...over };
}

function holdingAt(version: bigint, heldUntil: number): Holding {
  const idle = { writes: [], asking: null, readAt: null, renewAt: 0, lastStamp: 0 } as const;
  return { kind: 'holding', sight: seen(version), token: 1n, heldUntil, ...idle };
}

function seekingWith(sight: Sight, proven: Seeking['proven'] = []): Seeking {
  const idle = { writes: [], asking: null, readAt: null, retryAt: 0 } as const;
  const wait = { pace, waiting: beginWaiting(0) };
  const found = { watched: true, looked: true } as const;
  const rest = { failure: null, unmarked: null, lastStamp: 0 } as const;
  return { kind: 'seeking', sight, proven, ...idle, ...wait, ...found, ...rest };
}

const late = new ApiUnreachableError('no answer', 'https://api');

describe('RENEWAL_LATE', () => {
  it('when over half of the belief that a renewal gives is used up, not before', () => {
    const { alarm, codes, warnings } = scene();
    const state = holdingAt(5n, 13_000);
    alarm.look(state, state, at(6_500), late);
    expect(codes()).toEqual([]);
    alarm.look(state, state, at(6_501), late);
    expect(codes()).toEqual(['RENEWAL_LATE']);
    expect(warnings[0]?.message).toContain('lock default/job: over half of the time to renew it');
    expect(warnings[0]?.cause).toBe(late);
  });

  it('once, however long it lasts', () => {
    const { alarm, codes } = scene();
    const state = holdingAt(5n, 13_000);
    for (const ms of [7_000, 8_000, 12_999]) alarm.look(state, state, at(ms), undefined);
    expect(codes()).toEqual(['RENEWAL_LATE']);
  });

  it('goes by the clock of holders, which counts suspension', () => {
    const { alarm, codes } = scene();
    const state = holdingAt(5n, 13_000);
    alarm.look(state, state, at(100, { elapsed: 9_000 }), undefined);
    expect(codes()).toEqual(['RENEWAL_LATE']);
  });
});

describe('FOREIGN_EDIT', () => {
  it('when a held lease has a new version that no renewal of ours explains', () => {
    const { alarm, codes, warnings } = scene();
    alarm.look(holdingAt(5n, 13_000), holdingAt(6n, 13_000), at(1_000), undefined);
    expect(codes()).toEqual(['FOREIGN_EDIT']);
    expect(warnings[0]?.message).toContain('lock default/job: somebody else changed the Lease');
  });

  it('not for a renewal, nor for the same version heard again', () => {
    const { alarm, codes } = scene();
    alarm.look(holdingAt(5n, 13_000), holdingAt(6n, 15_000), at(1_000), undefined);
    alarm.look(holdingAt(6n, 15_000), holdingAt(6n, 15_000), at(1_000), undefined);
    expect(codes()).toEqual([]);
  });

  it('not for an announcement of a waiter, by whatever way it comes', () => {
    const { alarm, codes } = scene();
    const content = 'as it was';
    const [before, after] = [5n, 6n].map((version) => {
      const lease = foreignLease(version, 1, { content });
      return { ...holdingAt(version, 13_000), sight: seen(version, { lease }) };
    }) as [Holding, Holding];
    alarm.look(before, after, at(1_000), undefined);
    expect(codes()).toEqual([]);
  });

  it('not for the acquisition itself', () => {
    const { alarm, codes } = scene();
    alarm.look(seekingWith(seen(5n)), holdingAt(6n, 15_000), at(1_000), undefined);
    expect(codes()).toEqual([]);
  });
});

describe('SAME_IDENTITY', () => {
  function heldAs(holder: string, nonce: string): Sight {
    const times = { acquireTime: 1, renewTime: 2 };
    const record = { holder, durationMs: 15_000, ...times, transitions: 1 };
    return seen(5n, { lease: leaseWith({ record, mark: { nonce, token: 4n } }, 5n), gapMs: 2_000 });
  }

  it('when somebody who is none of us renews by our name', () => {
    const { alarm, codes, warnings } = scene();
    const state = seekingWith(heldAs('pod-mine', 'theirs'));
    alarm.look(state, state, at(0), undefined);
    alarm.look(state, state, at(0), undefined);
    expect(codes()).toEqual(['SAME_IDENTITY']);
    expect(warnings[0]?.message).toContain('another process renews as pod-mine');
  });

  it('not for another name', () => {
    const { alarm, codes } = scene();
    const state = seekingWith(heldAs('pod-other', 'theirs'));
    alarm.look(state, state, at(0), undefined);
    expect(codes()).toEqual([]);
  });

  it('not for a record that nobody was seen to renew: it may be our own from before a restart', () => {
    const { alarm, codes } = scene();
    const state = seekingWith({ ...(heldAs('pod-mine', 'theirs') as Present), gapMs: null });
    alarm.look(state, state, at(0), undefined);
    expect(codes()).toEqual([]);
  });

  it('not for another attempt of this very client', () => {
    const { alarm, view, codes } = scene();
    view.join({ nonce: 'sibling', news: () => undefined, watch: () => undefined });
    const state = seekingWith(heldAs('pod-mine', 'sibling'));
    alarm.look(state, state, at(0), undefined);
    expect(codes()).toEqual([]);
  });
});

describe('ACCESS_LOST', () => {
  it('when a holder is refused', () => {
    const { alarm, codes, warnings } = scene();
    alarm.refused(holdingAt(5n, 13_000), 'write', late);
    alarm.refused(holdingAt(5n, 13_000), 'write', late);
    expect(codes()).toEqual(['ACCESS_LOST']);
    expect(warnings[0]?.message).toBe('lock default/job: refused for now: no answer');
    expect(warnings[0]?.cause).toBe(late);
  });

  it('when a candidate is refused what it was allowed before', () => {
    const { alarm, codes } = scene();
    alarm.refused(seekingWith(seen(5n), ['read', 'write']), 'write', late);
    expect(codes()).toEqual(['ACCESS_LOST']);
  });

  it.each<[string, State]>([
    ['one who was never allowed anything: that is told as an error', seekingWith(seen(5n))],
    ['one who was allowed another thing only', seekingWith(seen(5n), ['read'])],
    ['one who is through', { kind: 'over', end: { how: 'withdrawn' } }],
  ])('not to %s', (_, state) => {
    const { alarm, codes } = scene();
    alarm.refused(state, 'write', late);
    expect(codes()).toEqual([]);
  });
});

it('different matters are each told', () => {
  const { alarm, codes } = scene();
  alarm.refused(holdingAt(5n, 13_000), 'write', late);
  alarm.look(holdingAt(5n, 13_000), holdingAt(6n, 13_000), at(12_000), undefined);
  expect(codes()).toEqual(['ACCESS_LOST', 'RENEWAL_LATE', 'FOREIGN_EDIT']);
});
