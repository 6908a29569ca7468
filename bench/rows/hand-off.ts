// A lock passed to and fro between two processes, beside raw PUTs; leadership between candidates of client-go.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../test/integration/workers/crew.js';
import { ms, percentile } from '../../test/integration/workers/figures.js';
import type { HolderCalls } from '../../test/integration/workers/holder.js';
import type { PutCalls } from '../../test/integration/workers/put.js';
import { Rival } from '../../test/integration/workers/rival.js';
import { now } from '../../test/integration/workers/time.js';
import type { Result, Row, Stage } from '../stage.js';

const COLD_ROUNDS = 5;
const HELD_MS = 40;
const PUTS_PER_BLOCK = 10;
const LANES = 4;
const THEIRS = { duration: '15s', deadline: '10s', retry: '2s', pause: '5s' };
const THEIR_MEAN_SLEEP_MS = 3_200;

interface Times {
  readonly handOffs: number[];
  /** One after the other, as fast as it goes. */
  readonly puts: number[];
  /** At the rhythm of the hand-offs. */
  readonly pacedPuts: number[];
}

async function passOurs({ cluster, crew, isQuick }: Stage): Promise<Times> {
  const rounds = isQuick ? 100 : 400;
  const start = (): Promise<Worker<HolderCalls>> => crew.start('holder', cluster);
  const puts = crew.start<PutCalls>('put', cluster, {
    ...{ leases: cluster.leases, name: 'put-hand-off' },
  });
  const [yardstick, one, other] = await Promise.all([puts, start(), start()]);
  const times: Times = { handOffs: [], puts: [], pacedPuts: [] };
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
    if (round >= 0) times.handOffs.push(at - calledAt);
    [holder, waiter] = [waiter, holder];
  }
  return times;
}

async function passTheirs({ cluster, crew, rival, isQuick }: Stage): Promise<number[]> {
  if (rival === null) return [];
  const limitMs = isQuick ? 25_000 : 240_000;
  const lane = async (_: unknown, index: number): Promise<number[]> => {
    const start = (identity: string): Promise<Rival> =>
      Rival.start(crew, rival, cluster, { lease: `theirs-${index}`, identity, ...THEIRS });
    let leader = await start('one');
    await leader.next('leading', 0);
    let waiter = await start('other');
    let waitingSince = 0;
    const took: number[] = [];
    const until = now() + limitMs;
    while (now() < until) {
      await waiter.next('get', (await waiter.next('campaigning', waitingSince)).at);
      await sleep(Math.random() * THEIR_MEAN_SLEEP_MS);
      const since = await leader.resign();
      // A release of theirs may get lost; whoever resigned then leads again, and its lease has to run out.
      const led = [waiter, leader].map((candidate) => candidate.next('leading', since));
      for (const one of led) one.catch(() => undefined);
      took.push((await Promise.race(led)).at - since);
      waitingSince = since;
      if (!leader.isLeading) [leader, waiter] = [waiter, leader];
    }
    await Promise.all([leader.kill(), waiter.kill()]);
    return took;
  };
  return (await Promise.all(Array.from({ length: LANES }, lane))).flat();
}

async function run(stage: Stage): Promise<Result> {
  const { handOffs, puts, pacedPuts } = await passOurs(stage);
  stage.say('hand-offs of client-go');
  const theirs = await passTheirs(stage);
  const [p50, put, paced] = [handOffs, puts, pacedPuts].map((of) => percentile(of, 0.5)) as [
    ...[number, number, number],
  ];
  const tail = `p90 ${ms(percentile(handOffs, 0.9))}, p99 ${ms(percentile(handOffs, 0.99))}`;
  const theirP50 = percentile(theirs, 0.5);
  const rival = stage.rival === null ? '' : `client-go: p50 ${ms(theirP50)}, n=${theirs.length}`;
  const figures = [
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
  const faster = {
    figure: 'graceful hand-off, p50, faster than client-go',
    ...{ goal: '≥ 100 ×', measured: `${(theirP50 / p50).toFixed(0)} ×` },
    ...{ isMet: theirP50 >= 100 * p50, rival },
  };
  const series = { 'this package': handOffs, 'client-go': theirs, 'raw PUT': puts };
  return { figures: stage.rival === null ? figures : [...figures, faster], series };
}

export const handOff: Row = { name: 'hand-off', run };
