import { expect, it } from '@jest/globals';
import { candidate } from '../../support/candidate.js';
import { until } from '../../support/promises.js';
import { SocketCluster, quickBeliefMs } from '../../support/cluster.js';

it('a term that ran out while the event loop was blocked was lost, though its work has wound down', async () => {
  await using world = await SocketCluster.start();
  const a = candidate(world, 'a', {
    onStartedLeading: async ({ signal }) => {
      await until('the signal', () => signal.aborted);
      const end = performance.now() + quickBeliefMs + 200;
      while (performance.now() < end);
    },
  });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 60_000 });
  expect(a.stopped).toEqual(['lost']);
  a.stop.abort();
  await run;
});
