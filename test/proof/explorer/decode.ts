/** A world read back from its canonical form: all clocks at one origin, versions small and in order. */
import type {
  Announcement,
  Change,
  Lease,
  LeaseRecord,
  TermMark,
} from '../../../src/lease/record.js';
import { beginWaiting } from '../../../src/lease/protocol/announcements.js';
import { nothingSeen, type Sight } from '../../../src/lease/protocol/sight.js';
import type { State, Vacating, Waiting, Write } from '../../../src/lease/protocol/state.js';
import { NOTHING, beliefs, doings, intents, sightKinds, stateKinds, verdicts } from './encode.js';
import { budgetNames, type Flaw, type Scope } from './scope.js';
import {
  NAMES,
  ORIGIN_MS,
  OUTSIDER,
  RIVAL,
  leaseOf,
  nonceOf,
  type Candidate,
  type Doing,
  type Entry,
  type Request,
  type World,
} from './world.js';

const BIG = Array.from({ length: 512 }, (_, index) => BigInt(index));
const NONCES = Array.from({ length: 64 }, (_, code) => nonceOf(code >> 4, code & 15));
const HOLDERS: Readonly<Record<number, string>> = Object.fromEntries(
  ['', ...Array.from(NAMES), RIVAL, OUTSIDER].map((name) => [
    name === '' ? 0 : name.charCodeAt(0),
    name,
  ]),
);
const ASKING = [null, 'read', 'create'] as const;
const CLEARING = [null, 'read', 'delete'] as const;
/** One written once is like no other; what is always the same may stand there already. */
const BUMPS = [undefined, 'once.1', 'constant'] as const;
const proven = ['read', 'create', 'write', 'delete'] as const;
/** As the candidates measure it. */
const ROUND_TRIP_MS = 5;
/** A question is put with what is known now, or with what was known before. */
const [STALE, FRESH] = [0, 1];
const NO_CHANGE = {
  record: { holder: '', durationMs: null, acquireTime: null, renewTime: 0, transitions: 0 },
  mark: null,
};
const NO_LEASE = leaseOf('u0', 0n, NO_CHANGE.record, null);

export class Decoder {
  readonly #scope: Scope;
  readonly #announces: boolean;
  readonly #flaw: Flaw | null;
  #words: Int16Array = new Int16Array(0);
  #at = 0;
  #wall = ORIGIN_MS;
  readonly #leases: (Lease | undefined)[] = [];

  constructor(scope: Scope, flaw: Flaw | null) {
    this.#scope = scope;
    this.#announces = scope.announceAfterMs !== null;
    this.#flaw = flaw;
  }

  decode(words: Int16Array, at: number): World {
    this.#words = words;
    this.#at = at;
    this.#leases.length = 0;
    this.#wall = ORIGIN_MS + this.#next();
    for (let count = this.#next(); count > 0; count--) this.#lease();
    return {
      scope: this.#scope,
      flaw: this.#flaw,
      time: ORIGIN_MS,
      wall: this.#wall,
      version: this.#version(),
      uid: this.#next(),
      greatestToken: this.#version(),
      left: budgetNames.map(() => this.#nextOr(Infinity)),
      entries: this.#list(() => this.#entry()),
      candidates: this.#scope.attempts.map((_, index) => this.#candidate(index)),
      requests: this.#list(() => this.#request()),
      rival: this.#scope.rival ? this.#rival() : null,
      violation: null,
    };
  }

  #next(): number {
    return this.#words[this.#at++]!;
  }

  #nextOr<T>(nothing: T): number | T {
    const word = this.#next();
    return word === NOTHING ? nothing : word;
  }

  #version(): bigint {
    return BIG[this.#next()]!;
  }

  #versionOr<T>(nothing: T): bigint | T {
    const word = this.#next();
    return word === NOTHING ? nothing : BIG[word]!;
  }

  #list<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let count = this.#next(); count > 0; count--) items.push(read());
    return items;
  }

  #lease(): void {
    const rank = this.#next();
    const uid = `u${String.fromCharCode(this.#next())}`;
    const [record, mark] = [this.#record(), this.#mark()];
    const waiting = this.#announces ? this.#list(() => this.#announcement()) : [];
    this.#leases[rank] = leaseOf(uid, BIG[rank]!, record, mark, waiting);
  }

  #announcement(): Announcement {
    const id = NONCES[this.#next()]!;
    const waitedMs = this.#next();
    return { id, waitedMs, standBackMs: this.#next() };
  }

  #announcementOr<T>(nothing: T): Announcement | T {
    return this.#next() === 1 ? this.#announcement() : nothing;
  }

  #waiting(): Waiting {
    if (!this.#announces) return beginWaiting(ORIGIN_MS);
    const [since, announceAt] = [ORIGIN_MS + this.#next(), this.#due() ?? 0];
    const first = this.#nextOr(null);
    const firstTerm = first === null ? null : NONCES[first]!;
    return { since, announceAt, firstTerm, ...waitingFlags(this.#next()) };
  }

  #clearing(): Pick<Vacating, 'waiting' | 'hasWithdrawn'> {
    const waiting = beginWaiting(ORIGIN_MS);
    if (!this.#announces) return { waiting, hasWithdrawn: false };
    const flags = this.#next();
    return {
      waiting: { ...waiting, ...waitingFlags(flags >> 1) },
      hasWithdrawn: flags % 2 === 1,
    };
  }

  #record(): LeaseRecord {
    const holder = HOLDERS[this.#next()]!;
    const durationMs = this.#nextOr(null);
    const renewTime = this.#next() + this.#wall;
    return { holder, durationMs, acquireTime: null, renewTime, transitions: this.#next() };
  }

  #mark(): TermMark | null {
    const code = this.#next();
    return code === NOTHING ? null : { nonce: NONCES[code]!, token: this.#version() };
  }

  #entry(): Entry {
    const rank = this.#next();
    return { version: BIG[rank]!, lease: this.#next() === 1 ? this.#leases[rank]! : null };
  }

  #candidate(index: number): Candidate {
    const attempt = this.#next();
    const kind = stateKinds[this.#next()]!;
    const isLast = attempt + 1 >= this.#scope.attempts[index]!;
    const isDone = kind === 'over' && isLast;
    const unseen = isDone || this.#scope.unseenMs === 0 ? 0 : this.#next();
    const sight = isDone ? nothingSeen : this.#sight(isLast && kind !== 'seeking');
    const state = this.#state(kind, sight);
    const isLive = kind === 'seeking' || kind === 'holding';
    const flags = isLive || kind === 'vacating' ? this.#next() : 0;
    return {
      index,
      name: NAMES[index]!,
      attempt,
      state,
      sight,
      monotonic: ORIGIN_MS,
      elapsed: ORIGIN_MS,
      unseen,
      belief: isLive ? beliefs[flags >> 2]! : 'none',
      isCut: isLive && (flags & 2) > 0,
      hasVacated: (flags & 1) > 0,
      coveredUntil: ORIGIN_MS + (isLive ? this.#next() : 0),
    };
  }

  #sight(isTimeless: boolean): Sight {
    const kind = sightKinds[this.#next()]!;
    const rank = this.#next();
    const version = BIG[rank]!;
    if (kind === 'unknown') return { kind, serial: FRESH, version };
    if (kind === 'absent') return { kind, serial: FRESH, version, heardAt: ORIGIN_MS };
    const lease = this.#leases[rank]!;
    const heardAt = ORIGIN_MS + (isTimeless ? 0 : this.#next());
    const firstSeenAt = ORIGIN_MS + (isTimeless ? 0 : this.#next());
    const gapMs = isTimeless || !this.#scope.watched ? null : this.#nextOr(null);
    return { kind, serial: FRESH, version, lease, firstSeenAt, heardAt, gapMs };
  }

  #state(kind: State['kind'], sight: Sight): State {
    switch (kind) {
      case 'over':
        return { kind: 'over', end: { how: 'left' } };
      case 'seeking': {
        const [readAt, retryAt] = [this.#due(), this.#due() ?? 0];
        const flags = this.#next();
        return {
          kind: 'seeking',
          sight,
          readAt,
          retryAt,
          watched: flags % 2 === 1,
          asking: ASKING[flags >> 1]!,
          pace: { holdOffMs: this.#next(), roundTripMs: ROUND_TRIP_MS },
          waiting: this.#waiting(),
          // Of no consequence for one that waits for as long as it takes and is refused nothing for good.
          looked: true,
          proven,
          failure: null,
          unmarked: null,
          ...this.#book(),
        };
      }
      case 'holding': {
        if (sight.kind !== 'present') throw new Error('a holder sees its record');
        const readAt = this.#due();
        const [heldUntil, renewAt] = [this.#due() ?? 0, this.#due() ?? 0];
        const token = this.#version();
        const asking = this.#next() === 1 ? 'read' : null;
        const book = this.#book();
        return { kind: 'holding', sight, readAt, heldUntil, renewAt, token, asking, ...book };
      }
      case 'vacating': {
        const readAt = this.#due();
        const [retryAt, giveUpAt] = [this.#due() ?? 0, this.#due() ?? 0];
        const flags = this.#next();
        const [wasHeld, confirmed] = [flags % 2 === 1, flags > 1];
        const asking = CLEARING[this.#next()]!;
        const unmarked = this.#versionOr(null);
        const ends = { readAt, retryAt, giveUpAt, wasHeld, confirmed, unmarked };
        const clearing = this.#clearing();
        return { kind: 'vacating', sight, asking, ...ends, ...clearing, ...this.#book() };
      }
    }
  }

  #book(): { lastStamp: number; writes: Write[] } {
    return { lastStamp: this.#next() + this.#wall, writes: this.#list(() => this.#write()) };
  }

  #write(): Write {
    const flags = this.#next();
    const base = this.#version();
    const stamp = this.#next() + this.#wall;
    const sentAt = this.#due();
    return { intent: intents[flags >> 1]!, base, stamp, sentAt, awaited: flags % 2 === 1 };
  }

  #due(): number | null {
    const after = this.#nextOr(null);
    return after === null ? null : ORIGIN_MS + after;
  }

  #request(): Request {
    const from = this.#next();
    const flags = this.#next();
    const verdict = this.#nextOr(null);
    const what = doings[flags >> 2]!;
    const write = what === 'write' ? this.#writeOf() : null;
    const answer = verdict === null ? null : { verdict: verdicts[verdict]!, lease: this.#shown() };
    const [step, sentAt] =
      answer === null ? this.#unanswered(what, write) : [answered(what, write), ORIGIN_MS];
    return {
      by: from >> 4,
      attempt: from & 15,
      step,
      asked: flags % 2 === 1 ? FRESH : STALE,
      sentAt,
      isMute: (flags & 2) !== 0,
      answer,
    };
  }

  #writeOf(): Pick<Write, 'intent' | 'stamp'> {
    return { intent: intents[this.#next()]!, stamp: this.#next() + this.#wall };
  }

  #shown(): Lease | null | undefined {
    const rank = this.#nextOr(undefined);
    return rank === undefined || rank === 0 ? (rank === 0 ? null : undefined) : this.#leases[rank]!;
  }

  #unanswered(
    what: Doing['do'],
    write: Pick<Write, 'intent' | 'stamp'> | null,
  ): [Doing, number | null] {
    if (what === 'read') return [{ do: 'read', why: 'doubt' }, ORIGIN_MS];
    const base = what === 'create' ? NO_LEASE : this.#base();
    if (what === 'delete') return [{ do: 'delete', base }, ORIGIN_MS];
    if (what === 'announce') {
      return [{ do: 'announce', base, announcement: this.#announcementOr(null) }, ORIGIN_MS];
    }
    const record = this.#record();
    const mark = this.#mark();
    if (write === null) return [{ do: 'create', change: { record, mark } }, ORIGIN_MS];
    const bump = BUMPS[this.#next()];
    const change = { record, mark, ...(bump === undefined ? {} : { bump }), ...this.#ending() };
    const full = { ...write, base: base.version!, sentAt: null, awaited: true };
    return [{ do: 'write', write: full, base, change }, this.#due()];
  }

  #ending(): Pick<Change, 'announcement' | 'ended'> {
    if (!this.#announces) return {};
    const announcement = this.#announcementOr(undefined);
    const ended = this.#list(() => NONCES[this.#next()]!);
    return { ...(announcement === undefined ? {} : { announcement }), ended };
  }

  #base(): Lease {
    const uid = `u${String.fromCharCode(this.#next())}`;
    return { ...NO_LEASE, uid, version: this.#version() };
  }

  #rival(): World['rival'] {
    const rank = this.#nextOr(null);
    const observed = rank === null ? null : this.#leases[rank]!;
    const [observedAt, believesUntil] = [ORIGIN_MS + this.#next(), ORIGIN_MS + this.#next()];
    return { observed, observedAt, believesUntil, isCut: this.#next() === 1 };
  }
}

function waitingFlags(
  flags: number,
): Pick<Waiting, 'hasChangedHands' | 'isAnnouncing' | 'mayPatch'> {
  return {
    hasChangedHands: (flags & 1) > 0,
    isAnnouncing: (flags & 2) > 0,
    mayPatch: (flags & 4) > 0,
  };
}

function answered(what: Doing['do'], write: Pick<Write, 'intent' | 'stamp'> | null): Doing {
  switch (what) {
    case 'read':
      return { do: 'read', why: 'doubt' };
    case 'create':
      return { do: 'create', change: NO_CHANGE };
    case 'delete':
      return { do: 'delete', base: NO_LEASE };
    case 'announce':
      return { do: 'announce', base: NO_LEASE, announcement: null };
    case 'write': {
      const full = { ...write!, base: 0n, sentAt: null, awaited: true };
      return { do: 'write', write: full, base: NO_LEASE, change: NO_CHANGE };
    }
  }
}
