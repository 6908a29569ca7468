// Judges what happened in a troupe while a fault was there: what was promised, and how long it took.
import { setTimeout as sleep } from 'node:timers/promises';
import { judge } from '../../proof/history/judge.js';
import type { Belief, GuardedWrite } from '../../proof/history/history.js';
import { now } from '../workers/time.js';
import type { Chronicle } from './chronicle.js';
import type { Justified } from './scenario.js';
import type { Troupe } from './troupe.js';

/** What a fault did, once. */
export interface Outcome {
  readonly fault: string;
  readonly losses: number;
  readonly lostNeedlessly: number;
  readonly longestGapMs: number;
  /** From the last commit of one holder to the first of the next; 0 without any where nothing hindered it. */
  readonly longestTakeoverMs: number;
  /** That nothing excuses. */
  readonly overlaps: number;
  readonly excusedOverlaps: number;
  readonly longestExcusedMs: number;
  readonly violations: readonly string[];
}

const TAKEOVER_SLACK_MS = 1_000;

/** Resolves when every lease has a believer, or tells which have none. */
export async function settle(troupe: Troupe, chronicle: Chronicle): Promise<string[]> {
  const { leaseDurationMs } = troupe.options.timings;
  const limit = now() + 2 * leaseDurationMs + 10_000;
  for (;;) {
    await chronicle.update();
    const at = now();
    const held = chronicle.beliefs.filter(({ until }) => until > at).map(({ lock }) => lock);
    const vacant = troupe.leases.filter((lease) => !held.includes(lease));
    if (vacant.length === 0) return [];
    if (at > limit) return vacant.map((lease) => `${lease}: nobody acquired it in time`);
    await sleep(100);
  }
}

export function assess(
  troupe: Troupe,
  chronicle: Chronicle,
  writes: readonly GuardedWrite[],
  { fault, from, justified }: { fault: string; from: number; justified: Justified },
): Outcome {
  const { timings, witness } = troupe.options;
  const beliefMs = timings.leaseDurationMs - timings.marginMs;
  const mine = chronicle.beliefs.filter(({ lock }) => troupe.leases.includes(lock));
  const ofMine = writes.filter(({ lock }) => troupe.leases.includes(lock));
  const history = { beliefs: mine, writes: ofMine, outsiders: troupe.outsiders };
  const { overlaps, tokens, register } = judge(history, { beliefMs });
  const fresh = overlaps.filter(({ until }) => until >= from);
  const excused = fresh.filter(({ excusedBy }) => excusedBy !== null);
  const losses = chronicle.lossesSince(from).filter(({ lease }) => troupe.leases.includes(lease));
  const needless = losses.filter(
    ({ process, lease }) =>
      justified.everything !== true &&
      justified.members?.includes(process) !== true &&
      justified.leases?.includes(lease) !== true,
  );
  const boundMs = timings.leaseDurationMs + TAKEOVER_SLACK_MS;
  const takeovers =
    justified.hindersTakeover === true
      ? []
      : witness.takeoversSince(from).filter(({ lease }) => troupe.leases.includes(lease));
  const late = takeovers.filter(({ afterMs }) => afterMs > boundMs);
  const inexcusable = fresh.filter(({ excusedBy }) => excusedBy === null);
  return {
    fault,
    losses: losses.length,
    lostNeedlessly: needless.length,
    longestGapMs: longestGap(mine, from),
    longestTakeoverMs: Math.max(0, ...takeovers.map(({ afterMs }) => afterMs)),
    overlaps: inexcusable.length,
    excusedOverlaps: excused.length,
    longestExcusedMs: Math.max(0, ...excused.map(({ durationMs }) => durationMs)),
    violations: [
      ...inexcusable.map(({ what }) => what),
      ...tokens,
      ...register,
      ...needless.map(
        ({ process, lease, reason }) => `${lease}: lost needlessly by ${process}: ${reason}`,
      ),
      ...late.map(({ lease, to, afterMs }) => `${lease}: ${to} took over after ${afterMs} ms`),
    ],
  };
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
