import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineQueue } from '../../src/lease/kube/queue.js';

describe('DeadlineQueue', () => {
  it('hands out by earliest deadline, first come first served among equals', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 })), (deadlines) => {
        const items = deadlines.map((deadline, index) => ({ deadline, index }));
        const queue = new DeadlineQueue<(typeof items)[number]>();
        for (const item of items) queue.push(item);
        const expected = [...items].sort((a, b) => a.deadline - b.deadline || a.index - b.index);
        expect(queue.peek()).toBe(expected[0]);
        expect(items.map(() => queue.shift())).toEqual(expected);
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });

  it('takes out what was removed, and everything when drained', () => {
    const queue = new DeadlineQueue<{ deadline: number }>();
    const [a, b, c] = [{ deadline: 3 }, { deadline: 1 }, { deadline: 2 }];
    for (const item of [a, b, c]) queue.push(item);
    queue.remove(c);
    queue.remove({ deadline: 1 });
    expect(queue.drain()).toEqual([b, a]);
    expect(queue.peek()).toBeUndefined();
  });
});
