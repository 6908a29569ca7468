// The judges of mixed runs, judged themselves: histories in which somebody errs, and must be found.
import { describe, expect, it } from '@jest/globals';
import { erasures, explainOverlaps } from './hazards.js';
import type { Hazard } from './hazards.js';
import { overlaps } from './history.js';
import type { Candidate, History, Ours, Request, Theirs, Timings, Version } from './history.js';
import { brokenPromises, noticedAfter } from './promises.js';
import { readOurs, readTheirs } from './read.js';

const timings: Timings = {
  ours: { durationMs: 5_000, marginMs: 1_000 },
  theirs: { durationMs: 5_000, deadlineMs: 3_300, retryMs: 1_000, requestMs: 1_650 },
};

/** The record at one time; the version is ten times that, so that it is easily told. */
function version(at: number, holder: string, token: number | null = null): Version {
  return {
    ...{ at, version: BigInt(at * 10), holder, renewTime: at },
    token: token === null ? null : BigInt(token),
  };
}

function ours(identity: string, over: Partial<Ours> = {}): Ours {
  const none = { spells: [], stops: [], tokens: [], sends: [], told: [] };
  return { kind: 'ours', identity, ...none, ...over };
}

function theirs(identity: string, over: Partial<Theirs> = {}): Theirs {
  return { kind: 'client-go', identity, spells: [], stops: [], requests: [], ...over };
}

function spell(from: number, to: number, claimedAt = from) {
  return { from, to, claim: BigInt(claimedAt * 10) };
}

/** A request whose answer shows, or whose write made, the record of that time. */
function request(event: Request['event'], at: number, holder: string, of = at): Request {
  return { event, sentAt: of, at, found: { version: BigInt(of * 10), holder } };
}

function history(versions: Version[], ...candidates: Candidate[]): History {
  return { timings, versions, candidates };
}

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
  'nobody of client-go’s erased the record of ours': {
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

it('an erased record is seen, whether anybody believed on or not', () => {
  const { versions, candidates } = explained['H4, erases the record of ours']!;
  const all = erasures(history(versions, ...candidates));
  expect(all.map(({ of }) => of.identity)).toEqual(['me']);
  const other = explained['H3, lets go and works on']!;
  expect(erasures(history(other.versions, ...other.candidates))).toEqual([]);
});

describe('a loss that was told', () => {
  const told = [{ at: 8_107, isLeader: false }];
  const { versions } = explained['H4, erases the record of ours']!;

  it('is timed from when the record changed', () => {
    expect(noticedAfter(history(versions, { ...me(7_100, 8_106), told }))).toEqual([7]);
  });

  it('is not timed for one who was stopped', () => {
    const stopped = { ...me(7_100, 8_106), told, stops: [{ from: 8_050, to: 8_105 }] };
    expect(noticedAfter(history(versions, stopped))).toEqual([]);
  });
});

describe('what was written down', () => {
  it('of ours: belief only where it was asked for', () => {
    const { spells, tokens } = readOurs(
      'me',
      [
        { at: 1_000, event: 'leading', token: '9990' },
        { at: 1_003, event: 'believes' },
        { at: 1_055, event: 'believes' },
        { at: 1_070, event: 'doubts', until: 1_065 },
        { at: 1_071, event: 'stopped', reason: 'lost' },
        { at: 3_000, event: 'leading', token: '29990' },
        { at: 3_002, event: 'believes' },
        { at: 3_054, event: 'believes' },
      ],
      [],
      [version(1_000, 'me', 9_990), version(2_000, 'me', 9_990), version(3_000, 'me', 29_990)],
    );
    expect(tokens).toEqual([9_990n, 29_990n]);
    expect(spells).toEqual([spell(1_003, 1_065, 1_000), spell(3_002, 3_054, 3_000)]);
  });

  it('of client-go’s: the work until it is cancelled, or until the process ends', () => {
    const { spells, requests } = readTheirs(
      'go-a',
      [
        { at: 900, event: 'get', sentAt: 899, error: 'not found' },
        { at: 1_000, event: 'create', sentAt: 990, version: '77', holder: 'go-a' },
        { at: 1_001, event: 'leading' },
        { at: 2_000, event: 'resigning' },
        { at: 2_001, event: 'cancelled' },
        { at: 5_000, event: 'update', sentAt: 4_999, version: '88', holder: 'go-a' },
        { at: 5_001, event: 'leading' },
      ],
      [],
      6_000,
    );
    expect(spells).toEqual([
      { from: 1_001, to: 2_000, claim: 77n },
      { from: 5_001, to: 6_000, claim: 88n },
    ]);
    expect(requests[0]).toEqual({ event: 'get', sentAt: 899, at: 900, found: null });
  });
});
