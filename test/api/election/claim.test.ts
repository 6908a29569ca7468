import { expect, it } from '@jest/globals';
import { candidate } from '../../support/candidate.js';
import { until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

it('stepDown in the moment of a claim resolves when what landed was let go', async () => {
  await using world = await SocketCluster.start();
  world.api.faults.stallWatch();
  world.api.faults.delay({ match: { verb: 'update' }, responseMs: 500, times: 1 });
  const a = candidate(world, 'a');
  const run = a.run();
  await until('a claim that landed', () => world.holder('crown') === 'a');
  await a.election.stepDown({ cooldownMs: 60_000 });
  expect(world.holder('crown')).toBe('');
  a.stop.abort();
  await run;
  expect(a.terms).toEqual([]);
});
