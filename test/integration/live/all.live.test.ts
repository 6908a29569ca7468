// Every real fault once: those of servers that outlast a lease on short leases, so that they take no minutes. And
// what judges them finds those that are planted.
import { expect } from '@jest/globals';
import { random } from '../../unit/protocol/world.js';
import { pathFaults } from './paths.js';
import { perform } from './runner.js';
import { DEFAULTS, SHORT, eachOnce, repertoire } from './season.js';
import { survive, tellLive } from './tell.js';

tellLive('Every real fault breaks no promise', 480_000, async (world) => {
  const all = await repertoire(() => true);
  const storms = [
    { timings: DEFAULTS, faults: all.servers.filter(({ isLong }) => isLong !== true) },
    { timings: SHORT, faults: all.servers.filter(({ isLong }) => isLong === true) },
  ];
  await survive(world, { seed: 2, repertoire: all, storms, supply: eachOnce, troupes: 3 });
});

tellLive(
  'Processes that believe too long, and a register that takes any token, are found out',
  60_000,
  async (world) => {
    const fault = pathFaults.find(({ name }) => name === 'Half-open, longer than the lease');
    if (fault === undefined) throw new Error('there is no such fault');
    const start = await world.calm();
    const wishes = { name: 'late', size: 2, timings: SHORT, random: random(1) };
    const troupe = await start({ ...wishes, overstaysMs: 3_000 });
    const { overlaps, violations } = await perform(world, troupe, fault);
    expect(overlaps).toBeGreaterThan(0);
    expect(violations.join('\n')).toMatch(/both late-\S+ .* believed for/);
    expect(violations.join('\n')).toMatch(/was accepted after token/);
  },
  { isGuarded: false },
);
