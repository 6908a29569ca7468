// Overlaps, each with the evidence that its hazard asks for, and without it.
import { describe, expect, it } from '@jest/globals';
import { erasures, explainOverlaps } from './hazards.js';
import type { Hazard } from './hazards.js';
import { overlaps } from './election-history.js';
import type { Candidate, Ours, Version } from './election-history.js';
import { history, ours, request, spell, theirs, version } from './samples.js';

/** go-a leads from 1,000 on and renews at 2,000; then comes what a case says. */
const before = [version(999, ''), version(1_000, 'go-a'), version(2_000, 'go-a')];
const renewals = [request('update', 1_001, 'go-a', 1_000), request('update', 2_001, 'go-a', 2_000)];
/** `me` claims what go-a left, at this time. */
function taken(at: number): Version[] {
  return [...before, version(at, 'me', 20_000)];
}

interface Case {
  readonly versions: Version[];
  readonly candidates: Candidate[];
  readonly hazards: Hazard[];
}

const me = (from: number, to: number): Ours => ours('me', { spells: [spell(from, to)] });
const stops = [{ from: 2_100, to: 8_000 }];

/** Each with the evidence that it asks for. */
const explained: Record<string, Case> = {
  'H1, after a pause and until it has read': {
    versions: taken(7_100),
    candidates: [
      theirs('go-a', {
        ...{ spells: [spell(1_000, 12_000)], stops },
        requests: [...renewals, request('get', 9_000, 'me', 7_100)],
      }),
      me(7_100, 20_000),
    ],
    hazards: ['pause', 'read'],
  },
  'H2, takes back what it had lost': {
    versions: [...taken(7_100), version(9_500, ''), version(10_000, 'go-a')],
    candidates: [
      theirs('go-a', {
        ...{ spells: [spell(1_000, 30_000)], stops },
        requests: [
          ...renewals,
          request('get', 8_500, 'me', 7_100),
          request('update', 10_001, 'go-a', 10_000),
        ],
      }),
      me(7_100, 9_499),
    ],
    hazards: ['pause', 'reacquired'],
  },
  'H3, lets go and works on': {
    versions: [...before, version(3_000, ''), version(3_100, 'me', 30_000)],
    candidates: [
      theirs('go-a', {
        spells: [spell(1_000, 3_500)],
        requests: [...renewals, request('update', 3_001, '', 3_000)],
      }),
      me(3_100, 6_000),
    ],
    hazards: ['released'],
  },
  'H4, erases the record of ours': {
    versions: [...taken(7_100), version(8_100, ''), version(8_110, 'go-b')],
    candidates: [
      theirs('go-a', {
        ...{ spells: [spell(1_000, 8_000)], stops },
        requests: [...renewals, request('update', 8_101, '', 8_100)],
      }),
      me(7_100, 8_130),
      theirs('go-b', { spells: [spell(8_111, 20_000, 8_110)] }),
    ],
    hazards: ['wiped'],
  },
  'H5, a late answer': {
    versions: taken(7_100),
    candidates: [
      theirs('go-a', {
        spells: [spell(1_000, 7_900)],
        requests: [renewals[0]!, request('update', 7_000, 'go-a', 2_000)],
      }),
      me(7_100, 20_000),
    ],
    hazards: ['late'],
  },
};

/** What lacks the evidence, or goes on for longer than the hazard can. */
const faults: Record<string, Omit<Case, 'hazards'>> = {
  'ours takes over from one who renews': {
    versions: taken(2_500),
    candidates: [
      theirs('go-a', { spells: [spell(1_000, 4_000)], requests: renewals }),
      me(2_500, 20_000),
    ],
  },
  'one who was not paused has not asked for too long': {
    versions: taken(7_100),
    candidates: [
      theirs('go-a', { spells: [spell(1_000, 9_000)], requests: renewals }),
      me(7_100, 20_000),
    ],
  },
  'one who was paused has not asked for too long': {
    versions: taken(7_100),
    candidates: [
      theirs('go-a', { spells: [spell(1_000, 12_000)], stops, requests: renewals }),
      me(7_100, 20_000),
    ],
  },
  'works on beyond the deadline after it has read': {
    versions: taken(7_100),
    candidates: [
      theirs('go-a', {
        ...{ spells: [spell(1_000, 15_000)], stops },
        requests: [...renewals, request('get', 8_500, 'me', 7_100)],
      }),
      me(7_100, 20_000),
    ],
  },
  'two of ours': {
    versions: [version(999, ''), version(1_000, 'one', 9_990), version(6_000, 'me', 10_000)],
    candidates: [ours('one', { spells: [spell(1_000, 6_100)] }), me(6_000, 8_000)],
  },
  'ours believes on when client-go has taken over': {
    versions: [version(999, ''), version(1_000, 'me', 9_990), version(6_000, 'go-a')],
    candidates: [me(1_000, 6_100), theirs('go-a', { spells: [spell(6_001, 9_000, 6_000)] })],
  },
  'ours, whose record was erased, believes for too long': {
    versions: explained['H4, erases the record of ours']!.versions,
    candidates: explained['H4, erases the record of ours']!.candidates.map((one) =>
      one.identity === 'me' ? me(7_100, 8_100 + 4_751) : one,
    ),
  },
  'no candidate of client-go erased the record of ours': {
    versions: explained['H4, erases the record of ours']!.versions,
    candidates: explained['H4, erases the record of ours']!.candidates.map((one) =>
      one.identity === 'go-a' ? { ...one, requests: renewals } : one,
    ),
  },
};

describe('overlaps', () => {
  it.each(Object.entries(explained))('%s', (_, { versions, candidates, hazards }) => {
    const findings = explainOverlaps(history(versions, ...candidates));
    expect(findings.unexplained).toEqual([]);
    expect(findings.explained.flatMap(({ parts }) => parts.map(({ hazard }) => hazard))).toEqual(
      hazards,
    );
  });

  it.each(Object.entries(faults))('unexplained: %s', (_, { versions, candidates }) => {
    const findings = explainOverlaps(history(versions, ...candidates));
    expect(findings.unexplained).toHaveLength(1);
  });

  it('are none while one of two is stopped', () => {
    const [a, b] = [me(1_000, 5_000), theirs('go-a', { spells: [spell(2_000, 6_000)], stops: [] })];
    const found = overlaps(history([], a, { ...b, stops: [{ from: 1_500, to: 4_000 }] }));
    expect(found.map(({ from, to }) => ({ from, to }))).toEqual([{ from: 4_000, to: 5_000 }]);
  });
});

it('an erased record is seen, whether a candidate believed on or not', () => {
  const { versions, candidates } = explained['H4, erases the record of ours']!;
  const all = erasures(history(versions, ...candidates));
  expect(all.map(({ of }) => of.identity)).toEqual(['me']);
  const other = explained['H3, lets go and works on']!;
  expect(erasures(history(other.versions, ...other.candidates))).toEqual([]);
});
