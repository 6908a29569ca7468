// A thousand locks in one process, and the processor time of a renewal beside that of a raw PUT.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PutCalls } from '../../tools/harness/processes/put.js';
import type { Points, Result, Row, Stage } from '../stage.js';
import type { ManyCalls, ManyReport, ManySettings } from '../workers/many.js';

const LOCKS = 1_000;
/** For the plot: how the cost of holding grows. */
const FEWER = [10, 100];
const FEWER_MS = 20_000;
const TIMINGS = { leaseDurationMs: 30_000, renewIntervalMs: 5_000 };
const LONG_MS = 600_000;

/** `isLong`: for ten minutes. */
export function manyFor(isLong: boolean): Row {
  return {
    name: isLong ? 'many-long' : 'many',
    run: (stage) => run(stage, isLong ? LONG_MS : stage.isQuick ? 10_000 : 60_000),
  };
}

/** What the operating system counts, and what of it is in use. */
function memoryOf({ memoryMiB, heapMiB }: ManyReport): string {
  return `${memoryMiB.toFixed(0)} MiB, ${heapMiB.toFixed(0)} of them in use`;
}

async function hold(
  { cluster, pool, say }: Stage,
  locks: number,
  windowMs: number,
): Promise<{ readonly report: ManyReport; readonly idleMs: number }> {
  const settings: ManySettings = { locks, ...TIMINGS };
  const worker = await pool.spawn<ManyCalls>('../../../bench/workers/many', cluster, settings);
  const { delayMs: idleMs } = await worker.call('warmUp', undefined);
  await worker.call('acquireAll', undefined, 120_000);
  say(`holds ${locks} locks for ${windowMs / 1_000} s`);
  // Renewals spread over the interval by themselves; the burst of acquiring is over by then.
  await sleep(TIMINGS.renewIntervalMs);
  await worker.call('begin', undefined);
  await sleep(windowMs);
  const report = await worker.call('end', undefined);
  await worker.call('release', undefined, 60_000);
  await worker.kill();
  return { report, idleMs };
}

/** How the cost of holding grows with what is held. */
async function growth(stage: Stage, most: ManyReport): Promise<Points> {
  const reports: [number, ManyReport][] = [];
  for (const locks of FEWER) reports.push([locks, (await hold(stage, locks, FEWER_MS)).report]);
  reports.push([LOCKS, most]);
  const line = (value: (report: ManyReport) => number): [number, number][] =>
    reports.map(([locks, report]) => [locks, value(report)]);
  return {
    'processor time of a renewal, ms': line(({ cpuMs }) => cpuMs),
    'memory in use over the client alone, MiB': line(({ heapMiB }) => heapMiB),
    sockets: line(({ sockets }) => sockets),
  };
}

async function run(stage: Stage, windowMs: number): Promise<Result> {
  const { cluster, pool, isQuick } = stage;
  const { report, idleMs } = await hold(stage, LOCKS, windowMs);
  const puts = await pool.spawn<PutCalls>('put', cluster, {
    ...{ leases: cluster.leases, name: 'put-many' },
  });
  const perSecond = LOCKS / (TIMINGS.renewIntervalMs / 1_000);
  await puts.call('cpuOf', { count: 500, perSecond }, 60_000);
  const putMs = await puts.call('cpuOf', { count: 1_000, perSecond }, 120_000);
  await puts.kill();
  const ratio = report.cpuMs / putMs;
  const seconds = windowMs / 1_000;
  const what = `${LOCKS} locks in one process for ${seconds} s`;
  const points = isQuick || windowMs === LONG_MS ? {} : await growth(stage, report);
  return {
    points,
    figures: [
      {
        figure: `${what}: lost`,
        ...{ goal: '0', measured: `${report.lost} (${report.renewals} renewals)` },
        ...{ isMet: report.lost === 0, rival: '' },
      },
      {
        figure: 'the same: sockets, the watch included',
        ...{ goal: '≤ 5', measured: `${report.sockets}`, isMet: report.sockets <= 5, rival: '' },
      },
      {
        figure: 'the same: memory over the client alone',
        ...{ goal: '≤ 64 MiB', measured: memoryOf(report) },
        ...{ isMet: report.memoryMiB <= 64, rival: '' },
      },
      {
        figure: 'the same: p99 of the event loop’s delay over that at rest',
        ...{ goal: '≤ 10 ms', measured: `${(report.delayMs - idleMs).toFixed(1)} ms` },
        ...{ isMet: report.delayMs - idleMs <= 10, rival: '' },
      },
      {
        figure: 'the same: greatest share of its belief used up before a renewal was sent',
        ...{ goal: '< 50 %', measured: `${(100 * report.worstShare).toFixed(0)} %` },
        ...{ isMet: report.worstShare < 0.5, rival: '' },
      },
      {
        figure: 'processor time of a renewal, as a multiple of a raw PUT at the same rate',
        ...{ goal: '≤ 1.3 ×', measured: `${ratio.toFixed(2)} × (${report.cpuMs.toFixed(2)} ms)` },
        ...{ isMet: ratio <= 1.3, rival: '' },
      },
    ],
  };
}
