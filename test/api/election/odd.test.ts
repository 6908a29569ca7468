import { expect, it } from '@jest/globals';
import { warn } from '../../../src/callbacks.js';

it.each([
  ['without a prototype', () => Object.create(null) as unknown],
  ['with a message that is no text', () => Object.assign(new Error('x'), { message: { a: 1 } })],
  [
    'that cannot be shown',
    () => ({
      toString: () => {
        throw new Error('no');
      },
    }),
  ],
])('what a callback throws is warned of, also something %s', (_, make) => {
  expect(() => warn(make())).not.toThrow();
});
