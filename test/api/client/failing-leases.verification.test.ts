// The whole table of `npm run failing-leases`.
import { it } from '@jest/globals';
import { mixtures } from '../../../bench/failing-leases.js';
import { expectNoLoss } from './support/failing-leases.js';

it.each(mixtures())(
  '$failing failing and $healthy healthy, $trouble, answers in $answerMs ms',
  expectNoLoss,
);
