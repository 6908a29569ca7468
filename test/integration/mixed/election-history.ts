// What is known of a run in which several candidates, of ours and of client-go's, wanted one Lease. Plain
// data: to check it takes no clock and no API server. Times are those of `now()`, in milliseconds.
import { check } from '../../../tools/harness/history/checker.js';

export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** The Lease at one version, as an independent watch showed it. */
export interface Version {
  /** When it came: a little after it was committed. */
  readonly at: number;
  readonly version: bigint;
  /** Empty when no process leads. */
  readonly holder: string;
  /** Milliseconds since the epoch. */
  readonly renewTime: number;
  /** Of the term annotation, be it valid for this record or left over. */
  readonly token: bigint | null;
}

/** One term, as its candidate saw it: all the while it believed that it led, or could not look. */
export interface Spell extends Stretch {
  /** The version that its claim wrote. */
  readonly claim: bigint;
}

interface AnyCandidate {
  readonly identity: string;
  readonly spells: readonly Spell[];
  /** While it was stopped by a signal, so that it could do nothing. */
  readonly stops: readonly Stretch[];
}

export interface Ours extends AnyCandidate {
  readonly kind: 'ours';
  /** Tokens in the order in which they were handed to the leading callback. */
  readonly tokens: readonly bigint[];
  /** Writes that left, by the `renewTime` that they carry. */
  readonly sends: readonly { readonly at: number; readonly stamp: number }[];
  /** While it led, it learnt that the record is not its own; and whether it still believed in that tick. */
  readonly told: readonly { readonly at: number; readonly isLeader: boolean }[];
}

/** A request of client-go's, when it was answered. */
export interface Request {
  readonly event: 'get' | 'create' | 'update';
  readonly sentAt: number;
  readonly at: number;
  /** What it read or wrote; `null` when it failed. */
  readonly found: { readonly version: bigint; readonly holder: string } | null;
}

export interface Theirs extends AnyCandidate {
  readonly kind: 'client-go';
  readonly requests: readonly Request[];
}

export type Candidate = Ours | Theirs;

export interface Timings {
  readonly ours: { readonly durationMs: number; readonly marginMs: number };
  readonly theirs: {
    readonly durationMs: number;
    readonly deadlineMs: number;
    readonly retryMs: number;
    /** Limit of one request. */
    readonly requestMs: number;
  };
}

export interface ElectionHistory {
  readonly timings: Timings;
  /** In order. */
  readonly versions: readonly Version[];
  readonly candidates: readonly Candidate[];
  /** While the machine of all of them stood still: what comes late then is late for no other reason. */
  readonly stalls: readonly Stretch[];
}

/** Two who believed that they led, both able to act. */
export interface Overlap extends Stretch {
  readonly a: Belief;
  readonly b: Belief;
}

export interface Belief {
  readonly candidate: Candidate;
  readonly spell: Spell;
}

/** Every moment in which two candidates believed, cut where one of them was stopped; as the shared checker finds it. */
export function overlaps({ candidates }: ElectionHistory): Overlap[] {
  const terms = new Map<string, Belief>();
  const beliefs = candidates.flatMap((candidate) =>
    candidate.spells.flatMap((spell, n) => {
      const term = `${candidate.identity} ${n}`;
      terms.set(term, { candidate, spell });
      return without(spell, candidate.stops).map(({ from, to }) => ({
        ...{ process: candidate.identity, lock: 'election', term, token: spell.claim },
        ...{ from, until: to },
      }));
    }),
  );
  const found = check({ beliefs, writes: [], outsiders: [] }, { beliefMs: 0 }).overlaps;
  return found
    .map(({ a, b, from, until }) => {
      return { a: terms.get(a.term)!, b: terms.get(b.term)!, from, to: until };
    })
    .filter(({ a, b }) => a.candidate !== b.candidate)
    .sort((one, other) => one.from - other.from);
}

/** What is left of a stretch when others are cut out of it. */
export function without(whole: Stretch, holes: readonly Stretch[]): Stretch[] {
  let rest = [whole];
  for (const hole of holes) {
    rest = rest.flatMap(({ from, to }) => [
      { from, to: Math.min(to, hole.from) },
      { from: Math.max(from, hole.to), to },
    ]);
    rest = rest.filter(({ from, to }) => from < to);
  }
  return rest;
}

/** How long a candidate could act between two times: neither it nor the machine stood still. */
export function runningMs(
  { stops }: Candidate,
  from: number,
  to: number,
  stalls: readonly Stretch[] = [],
): number {
  return length(without({ from, to: Math.max(from, to) }, [...stops, ...stalls]));
}

export function length(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, to }) => sum + to - from, 0);
}
