import { expect, it } from '@jest/globals';
import { candidate } from '../../support/candidate.js';
import { until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

it('whoever hears lostSignal does not lead any more, also when the term ends by wish', async () => {
  await using world = await SocketCluster.start();
  const leadership: boolean[] = [];
  const a = candidate(world, 'a', {
    onStartedLeading: ({ lostSignal }) => {
      lostSignal.addEventListener('abort', () => leadership.push(a.election.isLeader()));
    },
  });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 60_000 });
  expect(leadership).toEqual([false]);
  a.stop.abort();
  await run;
});

it('whoever is told of another leader does not lead any more', async () => {
  await using world = await SocketCluster.start();
  const told: (string | null)[][] = [];
  const a = candidate(world, 'a', {
    onNewLeader: (leader) => told.push([leader, a.election.isLeader() ? 'leads' : null]),
  });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  world.api.leases.edit('default', 'crown', ({ spec }) => (spec.holderIdentity = 'stranger'));
  await until('a knows', () => a.stopped.length === 1);
  expect(told).toContainEqual(['stranger', null]);
  a.stop.abort();
  await run;
});
