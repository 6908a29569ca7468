// One process alone with its lock: requests by the API server's own count, time beside raw PUTs, followers at rest.
import { setTimeout as sleep } from 'node:timers/promises';
import { countDuring } from '../../test/integration/workers/counter.js';
import { ms, percentile } from '../../test/integration/workers/figures.js';
import type { HolderCalls } from '../../test/integration/workers/holder.js';
import type { PutCalls } from '../../test/integration/workers/put.js';
import type { Result, Row, Stage } from '../stage.js';

const FOLLOWERS = 3;

async function run({ cluster, crew, isQuick }: Stage): Promise<Result> {
  const blocks = isQuick ? 10 : 40;
  const [yardstick, worker] = await Promise.all([
    crew.start<PutCalls>('put', cluster, { leases: cluster.leases, name: 'put-alone' }),
    crew.start<HolderCalls>('holder', cluster),
  ]);
  const rounds = (count: number): Promise<number[]> =>
    worker.call('rounds', { name: 'alone', count });
  await Promise.all([yardstick.call('put', 50), rounds(20)]);
  const pairs: number[] = [];
  const puts: number[] = [];
  for (let block = 0; block < blocks; block++) {
    puts.push(...(await yardstick.call('put', 20)));
    pairs.push(...(await rounds(10)));
  }
  const counted = isQuick ? 50 : 200;
  const { counts } = await countDuring(cluster, () => rounds(counted));
  const [pair, put] = [percentile(pairs, 0.5), percentile(puts, 0.5)];
  const others = counts.GET + counts.LIST + counts.POST + counts.PATCH + counts.DELETE;
  const perPair = `${(counts.PUT / counted).toFixed(2)} writes, ${others / counted} others`;
  return {
    figures: [
      {
        figure: 'acquire and release, uncontended: requests',
        ...{ goal: '2 writes, 0 GET or LIST', measured: perPair },
        ...{ isMet: counts.PUT === 2 * counted && others === 0, rival: '' },
      },
      {
        figure: 'the same, p50 as a multiple of two raw PUTs',
        ...{ goal: '≤ 1.2 ×', measured: `${(pair / put / 2).toFixed(2)} × (${ms(pair)})` },
        ...{ isMet: pair <= 2.4 * put, rival: '' },
      },
      ...(await atRest({ cluster, crew, isQuick })),
    ],
  };
}

async function atRest({ cluster, crew, isQuick }: Pick<Stage, 'cluster' | 'crew' | 'isQuick'>) {
  const holder = await crew.start<HolderCalls>('holder', cluster);
  await holder.call('acquire', 'rest');
  const followers = await Promise.all(
    Array.from({ length: FOLLOWERS }, () => crew.start<HolderCalls>('holder', cluster)),
  );
  for (const one of followers) void one.call('acquire', 'rest', 120_000).catch(() => undefined);
  await sleep(3_000);
  const windowMs = isQuick ? 13_000 : 61_000;
  const { counts, changes, seconds } = await countDuring(cluster, () => sleep(windowMs));
  // What is no renewal that was seen is somebody else's. From renewal to renewal, so that no edge counts.
  const others = Object.values(counts).reduce((a, b) => a + b, 0) - changes.length;
  const spanMs = (changes.at(-1)?.at ?? NaN) - (changes[0]?.at ?? NaN);
  const perSecond = (changes.length - 1) / (spanMs / 1_000);
  return [
    {
      figure: `requests per second at rest, a leader and ${FOLLOWERS} followers: leader; followers`,
      goal: '≤ 0.5; 0',
      measured: `${perSecond.toFixed(3)}; ${(others / seconds).toFixed(2)}`,
      isMet: perSecond <= 0.5 && others === 0,
      rival: `client-go: ${(0.5 + 0.3125 * FOLLOWERS).toFixed(2)} by its timings`,
    },
  ];
}

export const uncontended: Row = { name: 'uncontended', run };
