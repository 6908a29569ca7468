// A choice of real faults for every run of the tests.
import { DEFAULTS, eachOnce, repertoire } from './season.js';
import { survive, tellLive } from './tell.js';

tellLive('A choice of real faults breaks no promise', 150_000, async (world) => {
  const choice = await repertoire(({ quick }) => quick === true);
  const storms = [{ timings: DEFAULTS, faults: choice.servers }];
  const season = { seed: 1, repertoire: choice, storms, supply: eachOnce, troupes: 3 };
  await survive(world, season);
});
