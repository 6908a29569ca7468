/** The simulation for longer: other seeds than those of every run, and more of them. */
import { expect, test } from '@jest/globals';
import { mixes } from './mixes.js';
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

test.each(Object.keys(mixes))(
  'processes that take one lock again and again all get their turn: %s',
  async (mix) => {
    const { violation, waits } = await simulate('--mix', mix, '--seeds', '2');
    expect(violation?.trace.join('\n')).toBeUndefined();
    process.stderr.write(`simulation, ${mix}: longest waits ${JSON.stringify(waits)}\n`);
  },
  3_600_000,
);
