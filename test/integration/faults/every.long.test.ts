// Every real fault once: those of servers that outlast a lease on short leases, so that they take no minutes. And
// the checker finds those that are planted.
import { expect } from '@jest/globals';
import { seededRandom } from '../../../tools/harness/random.js';
import { networkFaults } from './network-faults.js';
import { runStep } from './step.js';
import { DEFAULTS, SHORT, eachOnce, faultSetOf } from './schedule.js';
import { expectAllSurvived, testWithFaults } from './test-with-faults.js';

testWithFaults('Every real fault breaks no promise', 1_800_000, async (environment) => {
  const all = await faultSetOf(() => true);
  const serverPlans = [
    { timings: DEFAULTS, faults: all.servers.filter(({ isLong }) => isLong !== true) },
    { timings: SHORT, faults: all.servers.filter(({ isLong }) => isLong === true) },
  ];
  await expectAllSurvived(environment, {
    seed: 2,
    faultSet: all,
    serverPlans,
    supply: eachOnce,
    groups: 3,
  });
});

testWithFaults(
  'Processes that believe too long, and a register that takes any token, are found out',
  300_000,
  async (environment) => {
    const fault = networkFaults.find(({ name }) => name === 'Half-open, longer than the lease');
    if (fault === undefined) throw new Error('there is no such fault');
    const start = await environment.stable();
    const wishes = { name: 'late', size: 2, timings: SHORT, random: seededRandom(1) };
    const group = await start({ ...wishes, overstaysMs: 3_000 });
    const { overlaps, violations } = await runStep(environment, group, fault);
    expect(overlaps).toBeGreaterThan(0);
    expect(violations.join('\n')).toMatch(/both late-\S+ .* believed for/);
    expect(violations.join('\n')).toMatch(/was accepted after token/);
  },
  { isGuarded: false },
);
