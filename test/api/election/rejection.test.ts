import { expect, it } from '@jest/globals';
import type { Leading } from '@metaparticle/sync';
import { candidate } from '../../support/candidate.js';
import { isPending, sleep, until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

/** Work that ignores the request to wind down, and ends with the reason of `lostSignal`: as fetch() would. */
function untilLost({ lostSignal }: Leading): Promise<never> {
  return new Promise((_resolve, reject) => {
    lostSignal.addEventListener('abort', () => reject(lostSignal.reason as Error));
  });
}

it.each([
  ['the drain took too long', () => undefined],
  [
    'it was lost while it drained',
    ({ api }: SocketCluster) => api.leases.delete('default', 'crown'),
  ],
])('work that rejects with the reason of lostSignal is no failure: %s', async (what, act) => {
  await using world = await SocketCluster.start();
  const a = candidate(world, 'a', {
    drainTimeoutMs: what.startsWith('the drain') ? 200 : 10_000,
    onStartedLeading: (leading) => {
      a.terms.push(leading);
      return a.terms.length === 1 ? untilLost(leading) : undefined;
    },
  });
  const run = a.run();
  run.catch(() => undefined);
  await until('a leads', () => a.election.isLeader());
  const stepping = a.election.stepDown({ cooldownMs: 0 });
  await sleep(50);
  act(world);
  await stepping;
  await sleep(100);
  expect(await isPending(run)).toBe(true);
  a.stop.abort();
  await run;
});
