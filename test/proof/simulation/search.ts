import type { Report, Result } from './workers.js';
import { planOf, type Plan, type PlanOptions } from './plan.js';
import { shrink } from './shrink.js';
import { shortened, titleOf } from './trace.js';
import { Tally } from './tally.js';
import { run, type Outcome, type RunOptions } from './cluster.js';

/** A range of seeds, and what kind of runs they are the seeds of. */
export interface Range {
  readonly from: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly plan: PlanOptions;
  readonly run: RunOptions;
  /** A violation is reported as it was found, not reduced. */
  readonly raw: boolean;
}

const PROGRESS_MS = 10_000;

/** One run per seed, until one breaks a promise. That one is reduced. */
export async function search(range: Range): Promise<Result> {
  const { from, seeds } = range;
  const stopAt = performance.now() + range.seconds * 1_000;
  let progressAt = performance.now() + PROGRESS_MS;
  const tally = new Tally();
  for (let seed = from; seed < from + seeds && performance.now() < stopAt; seed += 1) {
    const plan = planOf(seed, range.plan);
    const outcome = await run(plan, range.run);
    tally.add(outcome);
    const violation = await explain(plan, outcome, range);
    if (violation !== null) return { violation, ...tally.figures };
    if (performance.now() < progressAt) continue;
    console.error(`simulation: ${seed - from + 1} of ${seeds} seeds from ${from}, nothing found`);
    progressAt += PROGRESS_MS;
  }
  return { violation: null, ...tally.figures };
}

/** The same run again, with its whole trace. */
export async function replay(seed: number, { plan, run: how }: Range): Promise<Result> {
  const outcome = await run(planOf(seed, plan), { ...how, isTraced: true });
  const tally = new Tally();
  tally.add(outcome);
  console.log(outcome.trace.join('\n'));
  return { violation: reportOf(seed, outcome, outcome.trace.slice(-60)), ...tally.figures };
}

async function explain(plan: Plan, found: Outcome, range: Range): Promise<Report | null> {
  const { violation } = found;
  if (violation === null) return null;
  const { run: how, raw } = range;
  console.error(`simulation: seed ${plan.seed} breaks promise ${violation.promise}`);
  const smallest = raw ? plan : await shrink(plan, violation, how);
  const outcome = await run(smallest, { ...how, isTraced: true });
  const title = `seed ${plan.seed} breaks promise ${violation.promise}: ${violation.what}`;
  const trace = [title, ...titleOf(smallest, plan), ...shortened(outcome.trace)];
  return reportOf(plan.seed, outcome, trace);
}

function reportOf(seed: number, { violation }: Outcome, trace: readonly string[]): Report | null {
  if (violation === null) return null;
  return { promise: violation.promise, seed, steps: trace.length, trace };
}
