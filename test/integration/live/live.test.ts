// A choice of real faults for every run of the tests; and what judges them finds those that are planted.
import { expect } from '@jest/globals';
import { random } from '../../protocol/world.js';
import { pathFaults } from './paths.js';
import { perform } from './runner.js';
import { DEFAULTS, SHORT, eachOnce, repertoire } from './season.js';
import { survive, tellLive } from './tell.js';

const SEED = 1;

tellLive('A choice of real faults breaks no promise', 120_000, async (world) => {
  const choice = await repertoire(({ quick }) => quick === true);
  const storms = [{ timings: DEFAULTS, faults: choice.servers }];
  const season = { seed: SEED, repertoire: choice, storms, supply: eachOnce, troupes: 3 };
  await survive(world, season);
});

tellLive(
  'Processes that believe too long, and a register that takes any token, are found out',
  60_000,
  async (world) => {
    const fault = pathFaults.find(({ name }) => name === 'Half-open, longer than the lease');
    if (fault === undefined) throw new Error('there is no such fault');
    const start = await world.calm();
    const wishes = { name: 'late', size: 2, timings: SHORT, random: random(SEED) };
    const troupe = await start({ ...wishes, overstaysMs: 3_000 });
    const { overlaps, violations } = await perform(world, troupe, fault);
    expect(overlaps).toBeGreaterThan(0);
    expect(violations.join('\n')).toMatch(/both late-\S+ .* believed for/);
    expect(violations.join('\n')).toMatch(/was accepted after token/);
  },
  { isGuarded: false },
);
