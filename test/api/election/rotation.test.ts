import { expect, it } from '@jest/globals';
import { candidate } from '../../support/candidate.js';
import { isPending, sleep, until } from '../../support/promises.js';
import { SocketCluster, quick } from '../../support/cluster.js';

it('a token that is not accepted for a while does not end an election that waits for its first term', async () => {
  await using world = await SocketCluster.start();
  const kubeConfig = world.api.kubeConfigFor({ user: 'b' });
  const [a, b] = [
    candidate(world, 'a'),
    candidate(world, 'b', { client: world.client({ identity: 'b', kubeConfig }) }),
  ];
  const runs = [a.run()];
  await until('a leads', () => a.election.isLeader());
  runs.push(b.run());
  runs[1]!.catch(() => undefined);
  await until('b knows', () => b.election.leader === 'a');
  await sleep(2 * quick.renewIntervalMs);
  const { token } = kubeConfig.getCurrentUser();
  world.api.revokeToken(token);
  // Its watch goes on: it hears of the release, and its claim is refused.
  a.stop.abort();
  await runs[0];
  await sleep(1_000);
  expect(await isPending(runs[1]!)).toBe(true);
  world.api.acceptToken(token, 'b');
  await until('b leads', () => b.election.isLeader(), 10_000);
  b.stop.abort();
  await runs[1];
});

it('nor one that stepped down while it waited', async () => {
  await using world = await SocketCluster.start();
  world.occupy('crown', { leaseDurationSeconds: 60 });
  const kubeConfig = world.api.kubeConfigFor({ user: 'b' });
  const b = candidate(world, 'b', { client: world.client({ identity: 'b', kubeConfig }) });
  const run = b.run();
  await until('b knows', () => b.election.leader === 'stranger');
  await sleep(300);
  await b.election.stepDown({ cooldownMs: 0 });
  await sleep(300);
  const { token } = kubeConfig.getCurrentUser();
  world.api.revokeToken(token);
  world.api.leases.edit('default', 'crown', ({ spec }) => (spec.holderIdentity = ''));
  await sleep(1_000);
  expect(await isPending(run)).toBe(true);
  world.api.acceptToken(token, 'b');
  await until('b leads', () => b.election.isLeader(), 10_000);
  b.stop.abort();
  await run;
});
