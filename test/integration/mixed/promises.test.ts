// What candidates promise, checked on histories in which one of them errs, and must be found.
import { describe, expect, it } from '@jest/globals';
import type { Ours, Version } from './election-history.js';
import { brokenPromises, noticedAfter } from './promises.js';
import { history, ours, spell, version } from './samples.js';

/** Leads from 1,000 on, renews each second, releases at 4,000: nothing to find fault with. */
const sends = [1_000, 2_000, 3_000, 4_000].map((at) => ({ at, stamp: at }));
const well = ours('me', { spells: [spell(1_000, 3_999)], tokens: [9_990n], sends });
const record = [
  version(999, ''),
  ...[1_000, 2_000, 3_000].map((at) => version(at, 'me', 9_990)),
  version(4_000, ''),
];

describe('promises of ours', () => {
  it('are kept by one who leads and lets go', () => {
    expect(brokenPromises(history(record, well))).toEqual([]);
  });

  it.each<[string, Version[], Partial<Ours>, ...string[]]>([
    [
      'belief in the tick in which the loss is told',
      record,
      { told: [{ at: 5_000, isLeader: true }] },
      'me believed in the tick in which it was told of its loss, at 5000',
    ],
    [
      'belief after the loss was told',
      record,
      { told: [{ at: 2_500, isLeader: false }] },
      'me was told of its loss at 2500 and believed until 3999',
    ],
    [
      'belief beyond the last write that was committed',
      record,
      { spells: [spell(1_000, 7_001)] },
      'me believed from 7000 to 7001 without a write that covers it',
    ],
    [
      'belief by a write that was never committed',
      record.filter(({ at }) => at < 2_000),
      { spells: [spell(1_000, 5_500)] },
      'me believed from 5000 to 5500 without a write that covers it',
    ],
    [
      'belief before the claim was sent',
      record,
      { spells: [spell(990, 3_999, 1_000)] },
      'me believed from 990 to 1000 without a write that covers it',
    ],
    [
      'a gap that was bridged afterwards',
      [version(999, ''), version(1_000, 'me', 9_990), version(6_000, 'me', 9_990)],
      { spells: [spell(1_000, 6_500)], sends: [1_000, 6_000].map((at) => ({ at, stamp: at })) },
      'me believed from 5000 to 6000 without a write that covers it',
    ],
    [
      'a token that shrinks',
      [...record, version(5_000, 'me', 9_000)],
      {},
      'token 9000 of version 50000 comes after 9990',
      'token 9000 of version 50000 is not 40000, which it replaced',
    ],
    [
      'a token that is not the version replaced',
      [...record, version(5_000, 'me', 41_000)],
      {},
      'token 41000 of version 50000 is not 40000, which it replaced',
    ],
    [
      'a token that the record never had',
      record,
      { tokens: [9_990n, 12_345n] },
      'me led with token 12345, which the record never had',
    ],
    [
      'a release of what another one holds',
      [...record.slice(0, -1), version(3_500, 'other'), version(4_000, '')],
      {},
      'me vacated the record of other in version 40000',
    ],
  ])('%s is found', (_, versions, over, ...words) => {
    expect(brokenPromises(history(versions, { ...well, ...over }))).toEqual(words);
  });
});

describe('a loss that was told', () => {
  const told = [{ at: 8_107, isLeader: false }];
  const versions = [version(999, ''), version(1_000, 'me', 9_990), version(8_100, '')];

  it('is timed from when the record changed', () => {
    expect(noticedAfter(history(versions, { ...well, told }))).toEqual([7]);
  });

  it('is not timed for one who was stopped', () => {
    const stopped = { ...well, told, stops: [{ from: 8_050, to: 8_105 }] };
    expect(noticedAfter(history(versions, stopped))).toEqual([]);
  });
});
