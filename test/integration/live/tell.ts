// Real faults as tests. They need a control plane of their own to stop, so they run where one can be had.
import { expect, it } from '@jest/globals';
import { sharedCluster } from '../../../tools/harness/control-plane/index.js';
import { playSeason } from './season.js';
import type { Season } from './season.js';
import { Tally } from './tally.js';
import { World } from './world.js';

/** Has a world to itself, with whatever is planted in it; it is gone afterwards. */
export function tellLive(
  name: string,
  limitMs: number,
  story: (world: World) => Promise<void>,
  plant: { readonly isGuarded?: boolean } = {},
): void {
  const found = sharedCluster();
  if (found?.kind !== 'local') {
    const why = found?.kind === 'named' ? 'a named cluster is not ours to stop' : 'there is none';
    process.stderr.write(`${name}: skipped on a real API server (${why})\n`);
    it.skip(`${name}, real API server`, () => undefined);
    return;
  }
  it(
    `${name}, kube-apiserver ${found.version}`,
    async () => {
      const world = await World.open(plant);
      await story(world).finally(() => world.close());
    },
    limitMs,
  );
}

/** All faults of a season; none of them may break a promise. */
export async function survive(world: World, season: Omit<Season, 'tell'>): Promise<void> {
  const tally = new Tally();
  const tell = (outcome: Parameters<Tally['add']>[0]): void => tally.add(outcome);
  await playSeason(world, { ...season, tell });
  const { survived, all } = tally;
  const lines = [...tally.table(), `live faults survived ${survived}/${all}`];
  process.stderr.write(`${lines.join('\n')}\n`);
  expect(tally.violations).toEqual([]);
  expect(survived).toBe(all);
  expect(all).toBeGreaterThan(0);
}
