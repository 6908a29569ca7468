// A lock passed to and fro between two processes, beside raw PUTs; leadership between candidates of client-go.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../tools/harness/processes/pool.js';
import { ms, percentile } from '../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../tools/harness/processes/holder.js';
import type { PutCalls } from '../../tools/harness/processes/put.js';
import { resignations } from '../../tools/harness/processes/resignations.js';
import type { Figure, Result, Row, Stage } from '../stage.js';

const COLD_ROUNDS = 5;
const HELD_MS = 40;
const PUTS_PER_BLOCK = 10;
const THEIR_TIME_MS = { quick: 18_000, full: 240_000 };

interface Times {
  readonly handOffs: number[];
  /** One after the other, as fast as it goes. */
  readonly puts: number[];
  /** At the rhythm of the hand-offs. */
  readonly pacedPuts: number[];
  /** Of each hand-off, in their order. */
  readonly parts: Readonly<Record<Part, number[]>>;
}

/** Between whom time passes in a hand-off. */
const PARTS = [
  'release called to sent',
  'to the event at the waiter',
  'to its claim sent',
  'to the lock acquired',
] as const;
type Part = (typeof PARTS)[number];

interface Marks {
  readonly sentAt: number;
  readonly heardAt: number;
}

async function passOurs({ cluster, pool, isQuick }: Stage): Promise<Times> {
  const rounds = isQuick ? 100 : 400;
  const start = (): Promise<Worker<HolderCalls>> => pool.spawn('holder', cluster);
  const puts = pool.spawn<PutCalls>('put', cluster, {
    ...{ leases: cluster.leases, name: 'put-hand-off' },
  });
  const [yardstick, one, other] = await Promise.all([puts, start(), start()]);
  const parts = Object.fromEntries(PARTS.map((part) => [part, []])) as unknown as Times['parts'];
  const times: Times = { handOffs: [], puts: [], pacedPuts: [], parts };
  await yardstick.call('put', 50);
  await one.call('acquire', 'baton');
  let [holder, waiter] = [one, other];
  for (let round = -COLD_ROUNDS; round < rounds; round++) {
    if (round % 10 === 0) times.puts.push(...(await yardstick.call('put', PUTS_PER_BLOCK)));
    const acquired = waiter.call('acquire', 'baton');
    await sleep(HELD_MS / 2);
    times.pacedPuts.push(...(await yardstick.call('put', 1)));
    await sleep(HELD_MS / 2);
    const { calledAt } = await holder.call('release', 'baton');
    const { at } = await acquired;
    const marks = [holder, waiter].map((one) => one.call('marks', 'baton'));
    const [left, came] = (await Promise.all(marks)) as [Marks, Marks];
    if (round >= 0) {
      times.handOffs.push(at - calledAt);
      const moments = [calledAt, left.sentAt, came.heardAt, came.sentAt, at];
      for (const [n, part] of PARTS.entries()) {
        parts[part].push((moments[n + 1] ?? NaN) - (moments[n] ?? NaN));
      }
    }
    [holder, waiter] = [waiter, holder];
  }
  return times;
}

async function run(stage: Stage): Promise<Result> {
  const { handOffs, puts, pacedPuts, parts } = await passOurs(stage);
  stage.say('hand-offs of client-go');
  const { cluster, pool, rival: program, isQuick } = stage;
  const forMs = isQuick ? THEIR_TIME_MS.quick : THEIR_TIME_MS.full;
  const theirs = program === null ? [] : await resignations(cluster, pool, program, forMs);
  const [p50, put, paced] = [handOffs, puts, pacedPuts].map((of) => percentile(of, 0.5)) as [
    ...[number, number, number],
  ];
  const tail = `p90 ${ms(percentile(handOffs, 0.9))}, p99 ${ms(percentile(handOffs, 0.99))}`;
  const theirP50 = percentile(theirs, 0.5);
  const rival = program === null ? '' : `client-go: p50 ${ms(theirP50)}, n=${theirs.length}`;
  const figures: Figure[] = [
    {
      figure: 'raw PUT, p50: in a row; at the rhythm of hand-offs',
      ...{ goal: '', measured: `${ms(put)}; ${ms(paced)}`, isMet: null, rival: '' },
    },
    {
      figure: 'graceful hand-off, one waiter, p50 as a multiple of a raw PUT in a row',
      ...{ goal: '≤ 2.5 ×', measured: `${(p50 / put).toFixed(2)} × (${ms(p50)}; ${tail})` },
      ...{ isMet: p50 <= 2.5 * put, rival },
    },
    {
      figure: 'the same, of a raw PUT at the same rhythm',
      ...{ goal: '≤ 2.5 ×', measured: `${(p50 / paced).toFixed(2)} ×` },
      ...{ isMet: p50 <= 2.5 * paced, rival: '' },
    },
  ];
  const shares = PARTS.map((part) => `${part} ${ms(percentile(parts[part], 0.5))}`);
  figures.push({
    figure: 'where it goes, p50 of each part',
    ...{ goal: '', measured: shares.join(', '), isMet: null, rival: '' },
  });
  const faster = {
    figure: 'graceful hand-off, p50, faster than client-go',
    ...{ goal: '≥ 100 ×', measured: `${(theirP50 / p50).toFixed(0)} ×` },
    ...{ isMet: theirP50 >= 100 * p50, rival },
  };
  const series = { 'this package': handOffs, 'client-go': theirs, 'raw PUT': puts };
  return { figures: program === null ? figures : [...figures, faster], series };
}

export const handOff: Row = { name: 'hand-off', run };
