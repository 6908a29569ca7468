// A choice of real faults for every run of the tests.
import { DEFAULTS, eachOnce, faultSetOf } from './schedule.js';
import { expectAllSurvived, testWithFaults } from './test-with-faults.js';

testWithFaults('A choice of real faults breaks no promise', 600_000, async (environment) => {
  const choice = await faultSetOf(({ quick }) => quick === true);
  const serverPlans = [{ timings: DEFAULTS, faults: choice.servers }];
  const schedule = { seed: 1, faultSet: choice, serverPlans, supply: eachOnce, groups: 3 };
  await expectAllSurvived(environment, schedule);
});
