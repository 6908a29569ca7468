// Real faults as tests. They need a control plane of their own to stop, so they run where one can be had.
import { expect, it } from '@jest/globals';
import { sharedCluster } from '../../../tools/harness/control-plane/index.js';
import { runSchedule } from './schedule.js';
import type { Schedule } from './schedule.js';
import { FaultStats } from './stats.js';
import { FaultEnvironment } from './environment.js';

/** Has a environment to itself, with whatever is planted in it; it is gone afterwards. */
export function testWithFaults(
  name: string,
  limitMs: number,
  run: (environment: FaultEnvironment) => Promise<void>,
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
      const environment = await FaultEnvironment.open(plant);
      await run(environment).finally(() => environment.close());
    },
    limitMs,
  );
}

/** All faults of a schedule; none of them may break a promise. */
export async function expectAllSurvived(
  environment: FaultEnvironment,
  schedule: Omit<Schedule, 'report'>,
): Promise<void> {
  const stats = new FaultStats();
  const report = (outcome: Parameters<FaultStats['add']>[0]): void => stats.add(outcome);
  await runSchedule(environment, { ...schedule, report });
  const { survived, all } = stats;
  const lines = [...stats.table(), `live faults survived ${survived}/${all}`];
  process.stderr.write(`${lines.join('\n')}\n`);
  expect(stats.violations).toEqual([]);
  expect(survived).toBe(all);
  expect(all).toBeGreaterThan(0);
}
