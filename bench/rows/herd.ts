// Many who wait for one lock in several processes: latency, claim writes, and who gets it how often.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../tools/harness/processes/pool.js';
import { ms, percentile } from '../../tools/harness/processes/figures.js';
import type { PutCalls } from '../../tools/harness/processes/put.js';
import type { Figure, Result, Row, Stage } from '../stage.js';
import type { HerdCalls, HerdReport, HerdSettings } from '../../tools/harness/processes/herd.js';

const PROCESSES = 10;
/** In how many processes how many wait, how long it is held, and how often it is passed on. */
const GRID = [
  [2, 1, 30, 150],
  [5, 1, 30, 150],
  [10, 1, 30, 150],
  [10, 10, 30, 150],
  [10, 1, 500, 30],
  [10, 10, 500, 30],
] as const;
const COLD_ROUNDS = 5;
const LIMIT_MS = 240_000;

interface Race {
  /** From a release to the next acquisition, in order. */
  readonly latencies: readonly number[];
  /** Claims that were written for each of them. */
  readonly claims: readonly number[];
  /** The same of the first ones, when nobody knows of the others yet. */
  readonly coldClaims: readonly number[];
  /** Holds by process. */
  readonly shares: readonly number[];
  readonly puts: readonly number[];
}

async function race(
  { cluster, pool }: Stage,
  settings: HerdSettings,
  handOffs: number,
  processes = PROCESSES,
): Promise<Race> {
  const yardstick = await pool.spawn<PutCalls>('put', cluster, {
    ...{ leases: cluster.leases, name: `put-${settings.name}` },
  });
  await yardstick.call('put', 50);
  const puts = await yardstick.call('put', 100);
  await yardstick.kill();
  const program = 'herd';
  const workers: Worker<HerdCalls>[] = [];
  for (let n = 0; n < processes; n++) workers.push(await pool.spawn(program, cluster, settings));
  await Promise.all(workers.map((one) => one.call('start', undefined)));
  const count = async (): Promise<number> => {
    const counts = await Promise.all(workers.map((one) => one.call('count', undefined)));
    return counts.reduce((a, b) => a + b, 0);
  };
  const until = performance.now() + LIMIT_MS;
  while ((await count()) < handOffs + COLD_ROUNDS && performance.now() < until) await sleep(250);
  const reports = await Promise.all(workers.map((one) => one.call('stop', undefined, 60_000)));
  await Promise.all(workers.map((one) => one.kill()));
  return { ...judge(reports), puts };
}

function judge(reports: readonly HerdReport[]): Omit<Race, 'puts'> {
  const holds = reports
    .flatMap((report, process) => report.holds.map((hold) => ({ ...hold, process })))
    .sort((a, b) => a.acquiredAt - b.acquiredAt);
  const claimedAt = reports.flatMap(({ claims }) => claims);
  const latencies: number[] = [];
  const claims: number[] = [];
  for (const [index, { acquiredAt, releasedAt }] of holds.entries()) {
    const before = holds[index - 1];
    if (before === undefined) continue;
    latencies.push(acquiredAt - before.releasedAt);
    claims.push(claimedAt.filter((at) => at >= before.releasedAt && at < releasedAt).length);
  }
  const warm = holds.slice(COLD_ROUNDS);
  const shares = reports.map((_, process) => warm.filter((one) => one.process === process).length);
  return {
    latencies: latencies.slice(COLD_ROUNDS),
    claims: claims.slice(COLD_ROUNDS),
    coldClaims: claims.slice(0, COLD_ROUNDS),
    shares,
  };
}

/** Few and many, rapid and rare. */
async function grid(stage: Stage): Promise<Required<Pick<Result, 'figures' | 'points'>>> {
  const figures: Figure[] = [];
  const points: Record<string, [number, number][]> = {
    'claims written, mean': [],
    'time, p50 as a multiple of a raw PUT': [],
  };
  for (const [processes, waiters, holdMs, handOffs] of GRID) {
    const parties = `${processes * waiters} waiters in ${processes} processes, held for ${holdMs} ms`;
    stage.say(parties);
    const name = `grid-${processes}-${waiters}-${holdMs}`;
    const one = await race(stage, { name, waiters, holdMs }, handOffs, processes);
    const ratio = percentile(one.latencies, 0.5) / percentile(one.puts, 0.5);
    const [warm, cold] = [meanOf(one.claims), meanOf(one.coldClaims)];
    const claims = `claims ${warm.toFixed(2)} on average, ${cold.toFixed(1)} in the first ${COLD_ROUNDS}`;
    const measured = `${claims}; p50 ${ratio.toFixed(2)} × a raw PUT`;
    figures.push({ figure: parties, goal: '', measured, isMet: null, rival: '' });
    if (holdMs > 100) continue;
    points['claims written, mean']?.push([processes * waiters, warm]);
    points['time, p50 as a multiple of a raw PUT']?.push([processes * waiters, ratio]);
  }
  return { figures, points };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

async function run(stage: Stage): Promise<Result> {
  const { isQuick, say } = stage;
  const hundred = { name: 'herd', waiters: 10, holdMs: 30 };
  const herd = await race(stage, hundred, isQuick ? 150 : 1_000);
  say('ten processes as fast as they can');
  const fair = await race(stage, { name: 'fair', waiters: 1, holdMs: 0 }, isQuick ? 300 : 1_000);
  const [p50, put] = [percentile(herd.latencies, 0.5), percentile(herd.puts, 0.5)];
  const claims = percentile(herd.claims, 0.95);
  const mean = meanOf(herd.claims);
  const total = herd.shares.reduce((a, b) => a + b, 0);
  const most = (Math.max(...herd.shares) * PROCESSES) / total;
  const fairTotal = fair.shares.reduce((a, b) => a + b, 0);
  const least = (Math.min(...fair.shares) * PROCESSES) / fairTotal;
  const figures = [
    {
      figure: 'hand-off with 100 waiters in 10 processes: claim writes, p95',
      ...{ goal: '≤ 3', measured: `${claims} (mean ${mean.toFixed(2)}, n=${herd.claims.length})` },
      ...{ isMet: claims <= 3, rival: '' },
    },
    {
      figure: 'the same, p50 as a multiple of a raw PUT in a row',
      ...{ goal: '≤ 6 ×', measured: `${(p50 / put).toFixed(2)} × (${ms(p50)})` },
      ...{ isMet: p50 <= 6 * put, rival: '' },
    },
    {
      figure: 'the same, greatest share of a process',
      ...{ goal: '≤ 2 × its share', measured: `${most.toFixed(2)} ×`, isMet: most <= 2, rival: '' },
    },
    {
      figure: `fairness, 10 processes as fast as they can, ${fairTotal} hand-offs: least share`,
      ...{ goal: '≥ 0.5 × its share', measured: `${least.toFixed(2)} ×` },
      ...{ isMet: least >= 0.5, rival: '' },
    },
  ];
  const series = { herd: herd.latencies, 'shares of 10 processes': fair.shares };
  if (isQuick) return { figures, series };
  const more = await grid(stage);
  return { figures: [...figures, ...more.figures], series, points: more.points };
}

export const herd: Row = { name: 'herd', run };
