import { expect, it } from '@jest/globals';
import { candidate } from '../support/candidate.js';
import { sleep, until } from '../support/promises.js';
import { World } from '../support/world.js';

it('stays out for the whole cooldown after its lease was let go, however long the drain took', async () => {
  await using world = await World.start();
  const a = candidate(world, 'a', {
    onStartedLeading: async (leading) => {
      a.terms.push(leading);
      await until('the signal', () => leading.signal.aborted);
      await sleep(1_000);
    },
  });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 800 });
  const letGoAt = performance.now();
  await until('a leads again', () => a.terms.length === 2, 5_000);
  expect(performance.now() - letGoAt).toBeGreaterThan(700);
  a.stop.abort();
  await run;
});
