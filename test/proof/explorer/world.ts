/**
 * The small world in plain data: one register, some candidates that run the real protocol, the requests on
 * their way, perhaps a rival that decides as client-go does. Its copies are changed in place.
 */
import type { Instant } from '../../../src/lease/clock.js';
import type { State, Step, Terms, Verdict } from '../../../src/lease/protocol/state.js';
import { nothingSeen, type Sight } from '../../../src/lease/protocol/sight.js';
import type { Announcement, Lease, LeaseRecord, TermMark } from '../../../src/lease/record.js';
import { budgetNames, budgetOf, type Budget, type Flaw, type Scope } from './scope.js';

export type Doing = Exclude<Step, { do: 'wait' | 'end' | 'fail' | 'yield' }>;

/** What the server said, until it is heard. `lease` is what it showed; `undefined`: it showed nothing. */
export interface Answer {
  readonly verdict: Verdict['kind'];
  readonly lease: Lease | null | undefined;
}

export interface Request {
  readonly by: number;
  readonly attempt: number;
  readonly step: Doing;
  /** Serial of the sender's sight when it asked. */
  readonly asked: number;
  /** The sender's elapsed time as it left, `null` while it waits in the sender's queue. */
  readonly sentAt: number | null;
  /** Its sender gave it up for good: it may land, but no answer is heard. */
  readonly isMute: boolean;
  readonly answer: Answer | null;
}

export interface Candidate {
  readonly index: number;
  readonly name: string;
  attempt: number;
  state: State;
  sight: Sight;
  monotonic: number;
  elapsed: number;
  /** How much of its suspensions is missing from `elapsed`. */
  unseen: number;
  /** The world's own ledger: belief is covered up to here by writes of this attempt that did land. */
  coveredUntil: number;
  belief: 'none' | 'present' | 'past';
  /** An outsider took the record away from this attempt. */
  isCut: boolean;
  /** A write that lets go of what this attempt held did land. */
  hasVacated: boolean;
}

/** As much of client-go's elector as decides: what it observed, and since when. */
export interface Rival {
  /** The object that its next update is based on, and whose record it judges. */
  observed: Lease | null;
  observedAt: number;
  believesUntil: number;
  isCut: boolean;
}

export interface Entry {
  readonly version: bigint;
  readonly lease: Lease | null;
}

export interface Violation {
  readonly promise: string;
  readonly what: string;
}

export interface World {
  readonly scope: Scope;
  readonly flaw: Flaw | null;
  time: number;
  wall: number;
  version: bigint;
  uid: number;
  /** Newest first, as far as they may still be heard of; the first is the register as it stands. */
  entries: Entry[];
  candidates: Candidate[];
  requests: Request[];
  rival: Rival | null;
  greatestToken: bigint;
  left: number[];
  violation: Violation | null;
}

/** Where every clock stands in a world just made, and in every world read back from its canonical form. */
export const ORIGIN_MS = 100_000;

export const NAMES = 'abcd';
export const RIVAL = 'go';
export const OUTSIDER = 'x';

export function newWorld(scope: Scope, flaw: Flaw | null): World {
  const vacant = leaseOf('u1', 2n, { holder: '', durationMs: 1_000, ...never }, null);
  return {
    scope,
    flaw,
    time: ORIGIN_MS,
    wall: ORIGIN_MS,
    version: scope.startsVacant ? 2n : 1n,
    uid: scope.startsVacant ? 1 : 0,
    entries: [scope.startsVacant ? { version: 2n, lease: vacant } : { version: 0n, lease: null }],
    candidates: scope.attempts.map((_, index) => newCandidate(index)),
    requests: [],
    rival: scope.rival
      ? { observed: null, observedAt: ORIGIN_MS, believesUntil: ORIGIN_MS, isCut: false }
      : null,
    greatestToken: 0n,
    left: budgetNames.map((name) => budgetOf(scope, name)),
    violation: null,
  };
}

const never = { acquireTime: null, renewTime: 0, transitions: 0 };

function newCandidate(index: number): Candidate {
  return {
    index,
    name: NAMES[index]!,
    attempt: -1,
    state: { kind: 'over', end: { how: 'withdrawn' } },
    sight: nothingSeen,
    monotonic: ORIGIN_MS,
    elapsed: ORIGIN_MS,
    unseen: 0,
    coveredUntil: ORIGIN_MS,
    belief: 'none',
    isCut: false,
    hasVacated: false,
  };
}

/** Deep enough: what is shared is never changed in place. */
export function copyOf(world: World): World {
  return {
    ...world,
    entries: world.entries.slice(),
    candidates: world.candidates.map((one) => ({ ...one })),
    requests: world.requests.slice(),
    rival: world.rival === null ? null : { ...world.rival },
    left: world.left.slice(),
  };
}

export function instantOf(world: World, { monotonic, elapsed }: Candidate): Instant {
  return { monotonic, elapsed, wall: world.wall };
}

const termsKnown = new WeakMap<Scope, Map<number, Terms>>();

export function termsOf({ scope }: World, index: number, attempt: number): Terms {
  let known = termsKnown.get(scope);
  if (known === undefined) termsKnown.set(scope, (known = new Map<number, Terms>()));
  const code = index * 16 + attempt;
  let terms = known.get(code);
  if (terms === undefined) known.set(code, (terms = makeTerms(scope, index, attempt)));
  return terms;
}

function makeTerms(scope: Scope, index: number, attempt: number): Terms {
  return {
    identity: NAMES[scope.sameIdentity ? 0 : index]!,
    nonce: nonceOf(index, attempt),
    durationMs: scope.durationsMs[index]!,
    marginMs: scope.marginMs,
    unseenMs: scope.unseenMs,
    renewIntervalMs: scope.renewIntervalMs,
    trustServerClock: false,
    deleteOnRelease: scope.deleteOnRelease,
    aim: 'hold',
    ...(scope.evicts && index === 1 ? { evicts: { holder: NAMES[0]! } } : {}),
    announcementId: nonceOf(index, attempt),
    announceAfterMs: scope.announceAfterMs,
  };
}

export function nonceOf(index: number, attempt: number): string {
  return `${NAMES[index]}${attempt}`;
}

export function registerOf(world: World): Lease | null {
  return world.entries[0]!.lease;
}

export function fail(world: World, promise: string, what: string): void {
  world.violation ??= { promise, what };
}

export function budgetLeft(world: World, name: Budget): number {
  return world.left[budgetNames.indexOf(name)]!;
}

export function spend(world: World, name: Budget): void {
  world.left[budgetNames.indexOf(name)]! -= 1;
}

const key = { namespace: 'default', name: 'job' };
const fingerprints = new Map<number, string>();

/** `acquireTime` is left out: within one uid, the holder and its transitions name the term already. */
export function leaseOf(
  uid: string,
  version: bigint,
  record: LeaseRecord,
  mark: TermMark | null,
  waiting: readonly Announcement[] = [],
): Lease {
  return {
    key,
    uid,
    version,
    record,
    mark: record.holder === '' ? null : mark,
    strategy: null,
    fingerprint: fingerprintOf(record),
    waiting,
    // Nothing here asks for it: it is for warnings.
    content: '',
    idleMs: null,
    raw: null,
  };
}

/** One string for one record, made once: worlds are read back by the hundred thousand. */
function fingerprintOf({ holder, durationMs, renewTime, transitions }: LeaseRecord): string {
  const place = (holder.charCodeAt(0) || 0) * 64 + transitions;
  const code = (place * 64 + (durationMs ?? 0) / 1_000) * 10_000_000 + (renewTime ?? 0) * 8;
  let known = fingerprints.get(code);
  if (known === undefined) fingerprints.set(code, (known = String(code)));
  return known;
}
