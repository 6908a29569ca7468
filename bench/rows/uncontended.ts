// One process alone with its lock: requests by the API server's own count, time beside raw PUTs.
import { countDuring } from '../../tools/harness/processes/counter.js';
import { ms, percentile } from '../../tools/harness/processes/figures.js';
import type { HolderCalls } from '../../tools/harness/processes/holder.js';
import type { PutCalls } from '../../tools/harness/processes/put.js';
import type { Result, Row, Stage } from '../stage.js';

async function run({ cluster, pool, isQuick }: Stage): Promise<Result> {
  const blocks = isQuick ? 10 : 40;
  const [yardstick, worker] = await Promise.all([
    pool.spawn<PutCalls>('put', cluster, { leases: cluster.leases, name: 'put-alone' }),
    pool.spawn<HolderCalls>('holder', cluster),
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
    ],
  };
}

export const uncontended: Row = { name: 'uncontended', run };
