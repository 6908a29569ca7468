/**
 * The model that every run is checked against: a mutex with fencing. Pure: it knows no clock and no API server, so runs
 * on virtual time, on real API servers and by hand are checked alike.
 */
import type { Belief, GuardedWrite, History, OutsiderWrite } from './history.js';

/** Two processes that considered the same lock held at the same time. */
export interface Overlap {
  readonly lock: string;
  readonly a: Belief;
  readonly b: Belief;
  readonly from: number;
  readonly until: number;
  readonly durationMs: number;
  /** The outsider's write that took the Lease from one of them before it could know. */
  readonly excusedBy: OutsiderWrite | null;
  readonly what: string;
}

/** What is wrong, in words. Overlaps are data, since an excused one is worth reporting too. */
export interface Findings {
  readonly overlaps: readonly Overlap[];
  readonly tokens: readonly string[];
  readonly register: readonly string[];
}

export interface Limits {
  /** Lease duration less the margin: how long a holder may continue after an outsider's write. */
  readonly beliefMs: number;
}

/** Finds what a mutex with fencing would not have done. The order within the history's lists does not matter. */
export function check(history: History, limits: Limits): Findings {
  const beliefs = [...history.beliefs].sort(byBeginning);
  const writes = [...history.writes].sort(byTime);
  const excuse = excuser(
    [...history.outsiders].sort((a, b) => a.at - b.at || compare(a.what, b.what)),
    limits,
  );
  const locks = [...new Set([...beliefs, ...writes].map(({ lock }) => lock))].sort();
  const overlaps: Overlap[] = [];
  const tokens: string[] = [];
  const register: string[] = [];
  for (const lock of locks) {
    const own = beliefs.filter((belief) => belief.lock === lock);
    overlaps.push(...overlapsOf(own, excuse));
    tokens.push(...tokenViolations(own, excuse));
    register.push(...registerViolations(writes.filter((write) => write.lock === lock)));
  }
  return { overlaps, tokens, register };
}

/** What nothing excuses, in words. Empty for a good history. */
export function violations({ overlaps, tokens, register }: Findings): string[] {
  const inexcusable = overlaps.filter(({ excusedBy }) => excusedBy === null);
  return [...inexcusable.map(({ what }) => what), ...tokens, ...register];
}

type Excuse = (lock: string, from: number, until: number) => OutsiderWrite | null;

/** An outsider's write excuses an overlap that lies wholly within the belief that the write made groundless. */
function excuser(outsiders: readonly OutsiderWrite[], { beliefMs }: Limits): Excuse {
  return (lock, from, until) =>
    outsiders.find((one) => one.lock === lock && one.at <= from && until <= one.at + beliefMs) ??
    null;
}

/** @param beliefs of one lock, in the order in which they begin */
function overlapsOf(beliefs: readonly Belief[], excuse: Excuse): Overlap[] {
  const found: Overlap[] = [];
  for (const [n, a] of beliefs.entries()) {
    for (const b of beliefs.slice(n + 1)) {
      if (b.from >= a.until) break;
      const until = Math.min(a.until, b.until);
      if (b.from >= until || isSameTerm(a, b)) continue;
      found.push(overlap(a, b, until, excuse(a.lock, b.from, until)));
    }
  }
  return found;
}

function overlap(a: Belief, b: Belief, until: number, excusedBy: OutsiderWrite | null): Overlap {
  const { lock } = a;
  const { from } = b;
  const durationMs = until - from;
  const both = `${name(a)} and ${name(b)}`;
  const what = `${lock}: both ${both} believed for ${round(durationMs)} ms from ${round(from)}`;
  return { lock, a, b, from, until, durationMs, excusedBy, what };
}

/**
 * Compares each belief with the greatest token of those that began earlier. A process may learn late that its claim
 * landed, after an outsider has already undone it. Its belief then begins after that of its successor, and the excuse
 * of an overlap applies here too.
 */
function tokenViolations(beliefs: readonly Belief[], excuse: Excuse): string[] {
  const found: string[] = [];
  let greatest: Belief | null = null;
  for (const belief of beliefs) {
    if (greatest === null || belief.token > greatest.token) {
      greatest = belief;
      continue;
    }
    if (isSameTerm(belief, greatest)) continue;
    const isTwice = belief.token === greatest.token;
    if (!isTwice && excuse(belief.lock, belief.from, belief.from) !== null) continue;
    const order = `at ${round(belief.from)} after ${name(greatest)} at ${round(greatest.from)}`;
    found.push(`${belief.lock}: ${name(belief)} began ${order}`);
  }
  return found;
}

/** @param writes to one register, by time. Those at the same time may have arrived in any order */
function registerViolations(writes: readonly GuardedWrite[]): string[] {
  const accepted = writes.filter((write) => write.accepted);
  return writes.flatMap((write) => {
    const { lock, token, at } = write;
    const above = accepted.find(
      (other) => other.token > token && (write.accepted ? other.at < at : other.at <= at),
    );
    const what = `${lock}: the write of ${write.process} with token ${token} at ${round(at)}`;
    if (write.accepted && above !== undefined) {
      return [`${what} was accepted after token ${above.token} of ${above.process}`];
    }
    if (write.accepted || above !== undefined) return [];
    return [`${what} was rejected although no greater token had been accepted`];
  });
}

function isSameTerm(a: Belief, b: Belief): boolean {
  return a.process === b.process && a.term === b.term && a.token === b.token;
}

function name({ process, token }: Belief): string {
  return `${process} (token ${token})`;
}

function round(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}

function byBeginning(a: Belief, b: Belief): number {
  return (
    a.from - b.from ||
    compare(a.token, b.token) ||
    a.until - b.until ||
    compare(`${a.process} ${a.term}`, `${b.process} ${b.term}`)
  );
}

function byTime(a: GuardedWrite, b: GuardedWrite): number {
  return (
    a.at - b.at ||
    compare(a.token, b.token) ||
    Number(a.accepted) - Number(b.accepted) ||
    compare(a.process, b.process)
  );
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
