import { describe, expect, it } from '@jest/globals';
import { fc } from '../../support/property.js';
import { LaneQueue } from '../../../src/lease/kube/queue.js';

const LANES = ['holding', 'vacating', 'seeking'] as const;

interface Item {
  readonly deadline: number;
  readonly lane: (typeof LANES)[number];
}
const FAR = 1_000_000;
const byDeadline = ({ deadline }: Pick<Item, 'deadline'>): number => deadline;

const item = fc.record({
  deadline: fc.integer({ min: 0, max: 5 }),
  lane: fc.constantFrom(...LANES),
});

describe('LaneQueue', () => {
  it('hands out by earliest deadline in a lane, first come first served among equals', () => {
    fc.assert(
      fc.property(fc.array(item), (made) => {
        const items = made.map((one, index) => ({ ...one, index }));
        const queue = new LaneQueue<(typeof items)[number]>(byDeadline);
        for (const one of items) queue.push(one);
        const out = items.map(() => {
          const next = queue.peek(-FAR);
          if (next !== undefined) queue.take(next);
          return next;
        });
        for (const lane of LANES) {
          const inLane = <T extends { lane: string } | undefined>(all: T[]) =>
            all.filter((one) => one?.lane === lane);
          const expected = inLane([...items]).sort(
            (a, b) => a.deadline - b.deadline || a.index - b.index,
          );
          expect(inLane(out)).toEqual(expected);
        }
        expect(queue.peek(-FAR)).toBeUndefined();
      }),
    );
  });

  const letOut = (queue: LaneQueue<Item>, now: number, count: number): string =>
    Array.from({ length: count }, () => {
      const next = queue.peek(now);
      if (next === undefined) return '-';
      queue.take(next);
      return next.lane.charAt(0);
    }).join('');

  it('lets holders go first, and nobody wait for ever', () => {
    const queue = new LaneQueue<Item>(byDeadline);
    for (let n = 0; n < 9; n++) for (const lane of LANES) queue.push({ deadline: FAR, lane });
    expect(letOut(queue, 0, 13)).toBe('hhhvshhvshhvs');
  });

  it('lets nobody before a holder whose time is nearly up', () => {
    const queue = new LaneQueue<Item>(byDeadline);
    for (let n = 0; n < 9; n++) {
      queue.push({ deadline: 3_500 + n, lane: 'holding' });
      queue.push({ deadline: 3_500, lane: 'seeking' });
    }
    expect(letOut(queue, 1_000, 6)).toBe('hhhhhh');
    expect(letOut(queue, 0, 5)).toBe('shhhs');
  });

  it('knows whose deadline is the earliest of all', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), (items) => {
        const queue = new LaneQueue<(typeof items)[number]>(byDeadline);
        for (const one of items) queue.push(one);
        const earliest = Math.min(...items.map(({ deadline }) => deadline));
        expect(queue.first()?.deadline).toBe(earliest);
      }),
    );
    expect(new LaneQueue(byDeadline).first()).toBeUndefined();
  });

  it('passes over what is not ready, in every lane', () => {
    const queue = new LaneQueue<Item>(byDeadline);
    queue.push({ deadline: 500, lane: 'holding' });
    queue.push({ deadline: 3_500, lane: 'vacating' });
    queue.push({ deadline: 9_500, lane: 'vacating' });
    const after = (ms: number) => queue.peek(0, ({ deadline }) => deadline > ms)?.deadline;
    expect([0, 1_000, 5_000, 9_999].map(after)).toEqual([500, 3_500, 9_500, undefined]);
  });

  it('takes out what was removed, and everything when drained', () => {
    const lane = 'seeking';
    const queue = new LaneQueue<{ deadline: number; lane: typeof lane }>(byDeadline);
    const [a, b, c] = [
      { deadline: 3, lane } as const,
      { deadline: 1, lane } as const,
      { deadline: 2, lane } as const,
    ];
    for (const one of [a, b, c]) queue.push(one);
    queue.remove(c);
    queue.remove({ deadline: 1, lane });
    expect(queue.drain()).toEqual([b, a]);
    expect(queue.peek(0)).toBeUndefined();
  });
});
