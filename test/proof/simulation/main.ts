/**
 * The simulation's command: one run per seed, until one breaks a promise; that one is made as small as it gets,
 * and its story is told.
 *
 * - `--seeds N --from S`: how many, and the first of them; one to five thousand is a fair wait, and a nightly run
 *   takes what the night has, from a first seed of its own: `--seeds 1000000 --from $(date +%Y%m%d)000000`
 * - `--seconds N`: no further seed after so long
 * - `--replay SEED`: the same run again, told as it went, not made smaller
 * - `--beyond`: clock rates differ by more than the margin covers; overlaps are counted, all else must hold
 * - `--rival KIND`: `client-go`, `wall-clock` or `no-cas` in place of the library
 * - `--json`: a line of JSON at the end
 *
 * Exit code 0: nothing found, 1: a violation, 2: the simulation itself failed.
 */
import { parseArgs } from 'node:util';
import { planOf, type Plan, type PlanOptions, type RivalKind } from './plan.js';
import { shrink } from './shrink.js';
import { shortened, titleOf } from './story.js';
import { Tally } from './tally.js';
import { run, type Outcome } from './world.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    replay: { type: 'string' },
    beyond: { type: 'boolean', default: false },
    rival: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { beyond } = values;
const planOptions: PlanOptions = {
  beyond,
  ...(values.rival === undefined ? {} : { rival: values.rival as RivalKind }),
};
const runOptions = { mayOverlap: beyond };

interface Report {
  readonly promise: string;
  readonly seed: number;
  readonly steps: number;
  readonly story: readonly string[];
}

try {
  process.exitCode = await (values.replay === undefined ? search() : replay(values.replay));
} catch (error) {
  console.error(error);
  process.exitCode = 2;
}

async function replay(seed: string): Promise<number> {
  const outcome = await run(planOf(Number(seed), planOptions), { ...runOptions, tells: true });
  console.log(outcome.story.join('\n'));
  const tally = new Tally();
  tally.add(outcome);
  const story = outcome.story.slice(-60);
  return end(tally, outcome, reportOf(Number(seed), outcome, story));
}

async function search(): Promise<number> {
  const [from, seeds] = [Number(values.from), Number(values.seeds)];
  const stopAt = performance.now() + Number(values.seconds) * 1_000;
  const started = process.cpuUsage();
  const tally = new Tally();
  let last: Outcome | null = null;
  let report: Report | null = null;
  for (let seed = from; seed < from + seeds && report === null; seed += 1) {
    if (performance.now() > stopAt) break;
    const plan = planOf(seed, planOptions);
    last = await run(plan, runOptions);
    tally.add(last);
    if (last.violation !== null) report = await explain(plan, last);
  }
  const { user, system } = process.cpuUsage(started);
  console.log(tally.lines((user + system) / 1e6).join('\n'));
  return end(tally, last, report);
}

async function explain(plan: Plan, found: Outcome): Promise<Report | null> {
  const { violation } = found;
  if (violation === null) return null;
  console.log(`seed ${plan.seed} breaks promise ${violation.promise}: ${violation.what}`);
  const smallest = await shrink(plan, violation, runOptions);
  const outcome = await run(smallest, { ...runOptions, tells: true });
  const story = [...titleOf(smallest, plan), ...shortened(outcome.story)];
  console.log(`\n${story.join('\n')}\n\nthe whole of it: --replay ${plan.seed}\n`);
  return reportOf(plan.seed, outcome, story);
}

function reportOf(seed: number, { violation }: Outcome, story: readonly string[]): Report | null {
  if (violation === null) return null;
  return { promise: violation.promise, seed, steps: story.length, story };
}

function end(tally: Tally, last: Outcome | null, violation: Report | null): number {
  const { seeds, events, virtualMs, overlaps, counts } = tally;
  if (values.json) {
    const figures = { seeds, events, virtualMs, overlaps, hash: last?.hash, counts };
    console.log(JSON.stringify({ violation, ...figures }));
  }
  return violation === null ? 0 : 1;
}
