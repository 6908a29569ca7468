import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineQueue } from '../../src/lease/kube/queue.js';

const LANES = ['holding', 'vacating', 'seeking'] as const;

const item = fc.record({
  deadline: fc.integer({ min: 0, max: 5 }),
  lane: fc.constantFrom(...LANES),
});

describe('DeadlineQueue', () => {
  it('hands out by lane and earliest deadline, first come first served among equals', () => {
    fc.assert(
      fc.property(fc.array(item), (made) => {
        const items = made.map((one, index) => ({ ...one, index }));
        const queue = new DeadlineQueue<(typeof items)[number]>();
        for (const one of items) queue.push(one);
        const expected = [...items].sort((a, b) => {
          const lanes = LANES.indexOf(a.lane) - LANES.indexOf(b.lane);
          return lanes || a.deadline - b.deadline || a.index - b.index;
        });
        for (const one of expected) {
          expect(queue.peek()).toBe(one);
          queue.remove(one);
        }
        expect(queue.peek()).toBeUndefined();
      }),
    );
  });

  it('knows whose deadline is the earliest of all', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), (items) => {
        const queue = new DeadlineQueue<(typeof items)[number]>();
        for (const one of items) queue.push(one);
        const earliest = Math.min(...items.map(({ deadline }) => deadline));
        expect(queue.earliest()?.deadline).toBe(earliest);
      }),
    );
    expect(new DeadlineQueue().earliest()).toBeUndefined();
  });

  it('takes out what was removed, and everything when drained', () => {
    const lane = 'seeking';
    const queue = new DeadlineQueue<{ deadline: number; lane: typeof lane }>();
    const [a, b, c] = [
      { deadline: 3, lane } as const,
      { deadline: 1, lane } as const,
      { deadline: 2, lane } as const,
    ];
    for (const one of [a, b, c]) queue.push(one);
    queue.remove(c);
    queue.remove({ deadline: 1, lane });
    expect(queue.drain()).toEqual([b, a]);
    expect(queue.peek()).toBeUndefined();
  });
});
