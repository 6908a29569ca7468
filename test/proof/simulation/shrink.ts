import type { Violation } from './invariants.js';
import type { Plan, Timings } from './plan.js';
import { run, type RunOptions } from './cluster.js';

/** The most runs to spend on a shorter trace. */
const MOST_RUNS = 400;

/** Leaves out of a plan whatever the violation does not need: another of the same promise counts, too. */
export async function shrink(
  plan: Plan,
  { promise }: Violation,
  options: RunOptions,
): Promise<Plan> {
  let runs = 0;
  const isStillBroken = async (candidate: Plan): Promise<boolean> => {
    runs += 1;
    if (runs > MOST_RUNS) return false;
    const { violation } = await run(candidate, options);
    return violation?.promise === promise;
  };
  let smallest = plan;
  for (;;) {
    const before = smallest;
    smallest = await withoutProcesses(smallest, isStillBroken);
    smallest = await withoutItems(smallest, isStillBroken);
    smallest = await simpler(smallest, isStillBroken);
    if (smallest === before || runs > MOST_RUNS) return smallest;
  }
}

type Check = (plan: Plan) => Promise<boolean>;

async function withoutProcesses(plan: Plan, isStillBroken: Check): Promise<Plan> {
  let smallest = plan;
  for (const { name } of plan.processes) {
    const candidate = {
      ...smallest,
      processes: smallest.processes.filter((one) => one.name !== name),
      items: smallest.items.filter(({ act }) => !('process' in act) || act.process !== name),
    };
    if (candidate.processes.length === 0) continue;
    if (await isStillBroken(candidate)) smallest = candidate;
  }
  return smallest;
}

/** Halves first, then quarters, down to single ones. */
async function withoutItems(plan: Plan, isStillBroken: Check): Promise<Plan> {
  let smallest = plan;
  for (let size = Math.ceil(plan.items.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.items.length;) {
      const items = smallest.items.filter((_, n) => n < at || n >= at + size);
      const candidate = { ...smallest, items };
      if (await isStillBroken(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}

/** Clocks that agree, an early end, a single lock. */
async function simpler(plan: Plan, isStillBroken: Check): Promise<Plan> {
  const lastAt = plan.items.at(-1)?.at ?? 0;
  const edits: readonly ((from: Plan) => Partial<Plan>)[] = [
    ({ processes }) => ({ processes: processes.map((one) => ({ ...one, rate: 1 })) }),
    ({ processes }) => ({ processes: processes.map((one) => ({ ...one, unseenMs: 0 })) }),
    ({ processes }) => ({ processes: processes.map((one) => ({ ...one, wallAheadMs: 0 })) }),
    ({ timings, lastsMs }) => ({ lastsMs: earlierEnd(lastAt, timings, lastsMs) }),
    ({ locks }) => ({ locks: locks.slice(0, 1) }),
    () => ({ wallsAheadMs: [0] }),
  ];
  let smallest = plan;
  for (const edit of edits) {
    const candidate = { ...smallest, ...edit(smallest) };
    if (JSON.stringify(candidate) === JSON.stringify(smallest)) continue;
    if (await isStillBroken(candidate)) smallest = candidate;
  }
  return smallest;
}

function earlierEnd(lastAt: number, { leaseDurationMs }: Timings, lastsMs: number): number {
  return Math.min(lastsMs, lastAt + 2 * leaseDurationMs);
}
