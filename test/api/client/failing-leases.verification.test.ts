// The whole table of `npm run failing-leases`.
import { expect, it } from '@jest/globals';
import { mix, mixtures } from '../../../bench/failing-leases.js';

it.each(mixtures())(
  '$failing failing and $healthy healthy, $trouble, answers in $answerMs ms',
  async (mixture) => {
    const { leastBelief, healthyLost, failingShare } = await mix(mixture);
    expect(healthyLost).toBe(0);
    expect(leastBelief).toBeGreaterThan(0.5);
    expect(failingShare).toBeLessThan(0.5);
  },
);
