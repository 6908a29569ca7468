// Every real fault once: those of servers that outlast a lease on short leases, so that they take no minutes.
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
