// Why two candidates may have believed at one moment: known hazards of client-go's elector, each by a rule
// that asks for evidence and bounds what it explains. What no rule explains is a fault. Pure.
import { overlaps, runningMs } from './election-history.js';
import type {
  Belief,
  Candidate,
  ElectionHistory,
  Overlap,
  Spell,
  Stretch,
  Theirs,
  Version,
} from './election-history.js';

/** Numbered, so that they can be spoken of. */
export const HAZARDS = {
  pause: 'H1, no clock of its own: goes on after a pause until it asks',
  read: 'H1, has read of another holder and goes on until its deadline',
  reacquired: 'H2, takes the lease back within a term that had ended',
  released: 'H3, lets go before its work is cancelled',
  wiped: 'H4, its release erases the record of another holder',
  late: 'H5, counts from the arrival of a late answer',
} as const;

export type Hazard = keyof typeof HAZARDS;

export interface Part extends Stretch {
  readonly hazard: Hazard;
}

export interface Explained {
  readonly overlap: Overlap;
  readonly parts: readonly Part[];
}

export interface Findings {
  readonly explained: readonly Explained[];
  readonly unexplained: readonly Overlap[];
}

/** Events of watches, lines of output and timers come later than what they tell of; stalls are not counted. */
const SLACK_MS = 750;

export function explainOverlaps(history: ElectionHistory): Findings {
  const explained: Explained[] = [];
  const unexplained: Overlap[] = [];
  for (const overlap of overlaps(history)) {
    const parts = explain(history, overlap);
    if (parts === null) unexplained.push(overlap);
    else explained.push({ overlap, parts });
  }
  return { explained, unexplained };
}

function explain(history: ElectionHistory, overlap: Overlap): readonly Part[] | null {
  const { a, b } = overlap;
  return explainBy(history, a, b, overlap) ?? explainBy(history, b, a, overlap);
}

/** A candidate that believes although the record had become another's before a third one claimed it. */
interface Culprit {
  readonly history: ElectionHistory;
  readonly candidate: Candidate;
  readonly spell: Spell;
  /** The first version that was not its own. */
  readonly lost: Version;
}

function explainBy(
  history: ElectionHistory,
  who: Belief,
  other: Belief,
  during: Stretch,
): Part[] | null {
  const { candidate, spell } = who;
  const since = reign(history, who, during.to);
  const lost = history.versions.find(
    ({ version, holder }) => version > since && holder !== candidate.identity,
  );
  if (lost === undefined || lost.version > reign(history, other, during.to)) return null;
  const culprit: Culprit = { history, candidate, spell, lost };
  const hazard = lost.holder === '' ? whyVacant(culprit, during) : null;
  if (hazard !== null) return [{ from: during.from, to: during.to, hazard }];
  if (candidate.kind === 'ours' || lost.holder === '') return null;
  return explainTakeover(culprit, candidate, during);
}

/** The version by which it last became the holder, in the term of a belief. */
function reign({ versions }: ElectionHistory, { candidate, spell }: Belief, until: number): bigint {
  const { identity } = candidate;
  const taken = versions.findLast(
    ({ version, holder, at }, n) =>
      version > spell.claim &&
      at <= until &&
      holder === identity &&
      versions[n - 1]?.holder !== identity,
  );
  return taken?.version ?? spell.claim;
}

/** A candidate of client-go wrote an empty holder. */
function whyVacant({ history, candidate, lost }: Culprit, { to }: Stretch): Hazard | null {
  const { ours, theirs } = history.timings;
  const writer = history.candidates.find((one) => wrote(one, lost.version));
  if (writer === undefined) return null;
  if (writer === candidate) return 'released';
  const untilAskedMs = theirs.retryMs + theirs.requestMs;
  const limitMs =
    candidate.kind === 'ours'
      ? ours.durationMs - ours.marginMs
      : untilAskedMs + theirs.deadlineMs + theirs.requestMs;
  return runningMs(candidate, lost.at, to, history.stalls) <= limitMs + SLACK_MS ? 'wiped' : null;
}

function wrote(candidate: Candidate, version: bigint): boolean {
  if (candidate.kind === 'ours') return false;
  return candidate.requests.some(
    ({ event, found }) => event !== 'get' && found?.version === version,
  );
}

/** Another candidate holds the lease by then: what does it do until it knows, and what afterwards? */
function explainTakeover(culprit: Culprit, theirs: Theirs, { from, to }: Stretch): Part[] | null {
  const askedAt = firstAwareness(culprit, theirs) ?? Infinity;
  const unaware = { from, to: Math.min(to, askedAt) };
  const aware = { from: Math.max(from, askedAt), to };
  const parts: Part[] = [];
  if (unaware.from < unaware.to) {
    const hazard = whyUnaware(culprit, theirs, unaware.to);
    if (hazard === null) return null;
    parts.push({ ...unaware, hazard });
  }
  if (aware.from < aware.to) {
    const hazard = whyGoesOn(culprit, theirs, askedAt, to);
    if (hazard === null) return null;
    parts.push({ ...aware, hazard });
  }
  return parts;
}

/** When it first read a record that is not its own. */
function firstAwareness({ spell, lost }: Culprit, theirs: Theirs): number | undefined {
  return theirs.requests.find(
    ({ at, found }) =>
      at <= spell.to &&
      found !== null &&
      found.version >= lost.version &&
      found.holder !== theirs.identity,
  )?.at;
}

/** It did not know yet: it was stopped, or the answer by which it counts came late. */
function whyUnaware({ history, lost }: Culprit, theirs: Theirs, to: number): Hazard | null {
  const { durationMs, deadlineMs, retryMs, requestMs } = history.timings.theirs;
  const last = theirs.requests.findLast(
    ({ event, found }) => event !== 'get' && found !== null && found.version < lost.version,
  );
  const written = history.versions.find(({ version }) => version === last?.found?.version);
  if (last === undefined || written === undefined) return null;
  const isLate = last.at - written.at > durationMs - retryMs - deadlineMs;
  if (isLate && runningMs(theirs, last.at, to, history.stalls) <= retryMs + requestMs + SLACK_MS)
    return 'late';
  const pauses = theirs.stops.filter((stop) => stop.to > last.sentAt && stop.from < to);
  const [first] = pauses;
  if (first === undefined) return null;
  // From the end of the first pause, for as long as it takes until it asks.
  const limitMs = retryMs + requestMs + SLACK_MS;
  return runningMs(theirs, first.to, to, history.stalls) <= limitMs ? 'pause' : null;
}

/** It knows, and its work goes on. */
function whyGoesOn(culprit: Culprit, theirs: Theirs, askedAt: number, to: number): Hazard | null {
  const { history, spell, lost } = culprit;
  const { deadlineMs, requestMs } = history.timings.theirs;
  if (runningMs(theirs, askedAt, to, history.stalls) > deadlineMs + requestMs + SLACK_MS)
    return null;
  const tookBack = history.versions.some(
    ({ version, holder, at }) =>
      version > lost.version && holder === theirs.identity && at <= spell.to,
  );
  return tookBack ? 'reacquired' : 'read';
}

/** Versions by which a release of client-go's erased the record of another holder, with that holder. */
export function erasures({ versions, candidates }: ElectionHistory): { readonly of: Candidate }[] {
  return versions.flatMap((version, n) => {
    const before = versions[n - 1]?.holder ?? '';
    const writer = candidates.find((one) => wrote(one, version.version));
    if (version.holder !== '' || before === '' || writer === undefined) return [];
    if (writer.identity === before) return [];
    const victim = candidates.find(({ identity }) => identity === before);
    return victim === undefined ? [] : [{ of: victim }];
  });
}
