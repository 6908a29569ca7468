import { expect } from '@jest/globals';
import { mix, type Mixture } from '../../../../bench/failing-leases.js';

/** No healthy lease is lost or below half of its belief, and the failing ones make at most half of the requests. */
export async function expectNoLoss(mixture: Mixture): Promise<void> {
  const { leastBelief, healthyLost, failingShare } = await mix(mixture);
  expect(healthyLost).toBe(0);
  expect(leastBelief).toBeGreaterThan(0.5);
  expect(failingShare).toBeLessThan(0.5);
}
