// Leases whose writes fail, beside others of the same client: `npm run failing-leases` prints more of it.
import { describe, it } from '@jest/globals';
import { expectNoLoss } from './support/failing-leases.js';

describe('leases whose writes fail', () => {
  it.each([
    { failing: 3, healthy: 12, trouble: 500, answerMs: 0 },
    { failing: 30, healthy: 30, trouble: 429, answerMs: 0, retryAfterSeconds: 1 },
    { failing: 30, healthy: 30, trouble: 500, answerMs: 150 },
    { failing: 30, healthy: 30, trouble: 'no answer', answerMs: 0 },
  ] as const)(
    'take no belief from those beside them: $failing and $healthy, $trouble, answers in $answerMs ms',
    expectNoLoss,
  );
});
