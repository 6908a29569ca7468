/** The simulation for longer: other seeds than those of every run, and more of them. */
import { expect, test } from '@jest/globals';
import { neverMet, reportOf, simulate } from './simulate.js';

const FROM = 10_001;
const SEEDS = 2_000;

test('no promise is broken in thousands of runs', async () => {
  const result = await simulate('--from', `${FROM}`, '--seeds', `${SEEDS}`);
  process.stderr.write(reportOf(result));
  expect(result.violation?.trace.join('\n')).toBeUndefined();
  expect(result.seeds).toBe(SEEDS);
  expect(neverMet(result)).toEqual([]);
}, 3_600_000);
