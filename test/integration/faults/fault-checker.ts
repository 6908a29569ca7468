// Checks what happened in a group during a fault against what is promised, and how long it took.
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from '../../../tools/harness/history/checker.js';
import type { Belief, GuardedWrite } from '../../../tools/harness/history/history.js';
import type { Stall } from '../../../tools/harness/processes/witness.js';
import { now } from '../../../tools/harness/processes/time.js';
import { stalledMs, verdictOf } from '../../../tools/harness/witness.js';
import type { HistoryReader, Ended } from './history-reader.js';
import type { Justified } from './fault.js';
import { survivedMs } from './nodes.js';
import type { NodeGroup } from './nodes.js';
import type { Takeover } from './commit-probe.js';

/** What a fault did, once. */
export interface Outcome {
  readonly fault: string;
  readonly losses: number;
  readonly lostNeedlessly: number;
  /** Not by the fault, but while the API servers or the machine did not answer. */
  readonly lostInSilence: number;
  readonly longestGapMs: number;
  /** A holder was followed by another one without having let go; those that the fault hindered left out. */
  readonly takeovers: number;
  /** From the last commit of the one to the first of the other. */
  readonly longestTakeoverMs: number;
  /** That nothing excuses. */
  readonly overlaps: number;
  readonly excusedOverlaps: number;
  readonly longestExcusedMs: number;
  readonly violations: readonly string[];
  /** What would be a violation if the machine had not stalled. */
  readonly voided: readonly string[];
}

const TAKEOVER_SLACK_MS = 1_000;
/** What a healthy API server on a healthy machine does not take for an answer; short leases endure no more. */
const HICCUP_MS = 700;

/** Resolves when every lease has a believer, or tells which have none. */
export async function settle(group: NodeGroup, history: HistoryReader): Promise<string[]> {
  const { leaseDurationMs } = group.options.timings;
  const limit = now() + 2 * leaseDurationMs + 30_000;
  for (;;) {
    await history.update();
    const at = now();
    const held = history.beliefs.filter(({ until }) => until > at).map(({ lock }) => lock);
    const vacant = group.leases.filter((lease) => !held.includes(lease));
    if (vacant.length === 0) return [];
    if (at > limit) return vacant.map((lease) => `${lease}: not acquired in time`);
    await sleep(100);
  }
}

/** A fault, and when it was there. */
export interface Incident {
  readonly fault: string;
  /** Of the machine, since the last step. */
  readonly stalls: readonly Stall[];
  readonly from: number;
  readonly until: number;
  readonly justified: Justified;
}

/** Checks what happened since the last step. */
export function checkStep(
  group: NodeGroup,
  history: HistoryReader,
  writes: readonly GuardedWrite[],
  incident: Incident,
): Outcome {
  const { timings } = group.options;
  const since = group.checkedUntil;
  group.checkedUntil = now();
  const beliefs = history.beliefs.filter(({ lock }) => group.isOurs(lock));
  const ofOurs = writes.filter(({ lock }) => group.isOurs(lock));
  const observed = { beliefs, writes: ofOurs, outsiders: group.outsiders };
  const findings = check(observed, { beliefMs: timings.leaseDurationMs - timings.marginMs });
  const overlaps = findings.overlaps
    // The end of the one may not be known yet: then the next time.
    .filter(({ from }) => from < history.completeUntil)
    .filter(({ what }) => group.isNews(what));
  const excused = overlaps.filter(({ excusedBy }) => excusedBy !== null);
  const inexcusable = overlaps.filter(({ excusedBy }) => excusedBy === null);
  const losses = history.lossesSince(since).filter(({ lease }) => group.isOurs(lease));
  const needless = losses.filter((loss) => !isJustified(loss, incident));
  const [blamed, excusedLosses] = partition(needless, ({ process, at }) => {
    return !isExcused(group, incident, process, at);
  });
  const takeovers = takeoversSince(group, since, incident);
  const late = takeovers.filter((takeover) => isLate(group, takeover));
  const [blamedLate, excusedLate] = partition(late, (takeover) => {
    return !isExcusedTakeover(group, incident, takeover);
  });
  return {
    fault: incident.fault,
    losses: losses.length,
    lostNeedlessly: blamed.length,
    lostInSilence: excusedLosses.length,
    longestGapMs: longestGap(beliefs, since),
    takeovers: takeovers.length,
    longestTakeoverMs: Math.max(0, ...takeovers.map(({ afterMs }) => afterMs)),
    overlaps: inexcusable.length,
    excusedOverlaps: excused.length,
    longestExcusedMs: Math.max(0, ...excused.map(({ durationMs }) => durationMs)),
    violations: [
      ...inexcusable.map(({ what }) => what),
      ...[...findings.tokens, ...findings.register].filter((what) => group.isNews(what)),
      ...blamed.map(describeLoss),
      ...blamedLate.map(describeTakeover),
    ],
    voided: [...excusedLosses.map(describeLoss), ...excusedLate.map(describeTakeover)],
  };
}

function isJustified({ process, lease }: Ended, { justified }: Incident): boolean {
  const { everything = false, nodes = [], leases = [] } = justified;
  return everything || nodes.includes(process) || leases.includes(lease);
}

/** Whether the API servers, the machine or this process stood still for longer than the fault wanted it and a term endures. */
function isExcused(
  { options, context }: NodeGroup,
  { justified, stalls }: Incident,
  process: string,
  at: number,
): boolean {
  const { timings, health } = options;
  const since = at - timings.leaseDurationMs;
  const silentMs = health.longestSilenceMs(since, at);
  const starvedMs = Math.max(
    stalledMs(stalls, since, at),
    health.starvedMs(since, at) + context.history.starvedMs(process, since, at),
  );
  const bearableMs = justified.isOutage === true ? survivedMs(timings) : HICCUP_MS;
  return silentMs > bearableMs || starvedMs > HICCUP_MS;
}

function takeoversSince(
  group: NodeGroup,
  since: number,
  { until, justified }: Incident,
): Takeover[] {
  const { commits } = group.options;
  return commits
    .takeoversSince(since)
    .filter(({ lease }) => group.isOurs(lease))
    .filter(({ at, afterMs }) => justified.hindersTakeover !== true || at - afterMs > until);
}

function isLate(group: NodeGroup, { afterMs }: Takeover): boolean {
  return afterMs > takeoverLimitMs(group);
}

function takeoverLimitMs({ options }: NodeGroup): number {
  return options.timings.leaseDurationMs + TAKEOVER_SLACK_MS;
}

/** Bounded as any other bound of time is: a little too late is explained by less than much. */
function isExcusedTakeover(
  group: NodeGroup,
  incident: Incident,
  { to, at, afterMs }: Takeover,
): boolean {
  const from = at - afterMs;
  const bound = { what: to, from, until: at, limitMs: takeoverLimitMs(group) };
  const stalled = stalledMs(incident.stalls, from, at) + group.options.health.starvedMs(from, at);
  return verdictOf(bound, stalled) === 'void' || isExcused(group, incident, to, at);
}

function describeLoss({ process, lease, reason }: Ended): string {
  return `${lease}: lost needlessly by ${process}: ${reason}`;
}

function describeTakeover({ lease, to, afterMs }: Takeover): string {
  return `${lease}: ${to} took over after ${Math.round(afterMs)} ms`;
}

/** Those of which it is so, and the others. */
function partition<T>(all: readonly T[], isSo: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isSo), all.filter((one) => !isSo(one))];
}

/** Between the end of one belief and the beginning of the next. */
function longestGap(beliefs: readonly Belief[], since: number): number {
  let longest = 0;
  for (const belief of beliefs) {
    if (belief.until < since) continue;
    const later = beliefs.filter(({ lock, until }) => lock === belief.lock && until > belief.until);
    const next = Math.min(...later.map(({ from }) => from));
    if (Number.isFinite(next)) longest = Math.max(longest, next - belief.until);
  }
  return longest;
}
