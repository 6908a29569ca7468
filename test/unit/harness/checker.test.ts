import { describe, expect, it } from '@jest/globals';
import { fc } from '../../support/property.js';
import { check, violations } from '../../../tools/harness/history/checker.js';
import type {
  Belief,
  GuardedWrite,
  History,
  OutsiderWrite,
} from '../../../tools/harness/history/history.js';

const limits = { beliefMs: 10 };
const none: History = { beliefs: [], writes: [], outsiders: [] };

function belief(process: string, token: number, from: number, until: number, lock = 'l'): Belief {
  return { process, lock, term: `${process}.${token}`, token: BigInt(token), from, until };
}

function write(process: string, token: number, at: number, accepted = true): GuardedWrite {
  return { process, lock: 'l', token: BigInt(token), at, accepted };
}

function deleted(at: number, lock = 'l'): OutsiderWrite {
  return { lock, at, what: 'deleted' };
}

function checked(...beliefs: Belief[]) {
  return check({ ...none, beliefs }, limits);
}

describe('overlapping beliefs', () => {
  it('do not exist where one ends as the other begins', () => {
    expect(violations(checked(belief('a', 1, 0, 5), belief('b', 2, 5, 9)))).toEqual([]);
  });

  it('are found, with both processes and the duration', () => {
    const { overlaps, tokens } = checked(belief('a', 1, 0, 5), belief('b', 2, 4, 9));
    expect(overlaps).toMatchObject([{ durationMs: 1, from: 4, until: 5, excusedBy: null }]);
    expect(overlaps[0]?.what).toBe('l: both a (token 1) and b (token 2) believed for 1 ms from 4');
    expect(tokens).toEqual([]);
  });

  it('are found after a shorter belief, and inside a longer one', () => {
    const { overlaps } = checked(belief('a', 1, 0, 20), belief('b', 2, 2, 3), belief('c', 3, 7, 9));
    expect(overlaps.map(({ b }) => b.process)).toEqual(['b', 'c']);
  });

  it('count within one process too, except for the parts of one term', () => {
    expect(checked(belief('a', 1, 0, 5), belief('a', 2, 4, 9)).overlaps).toHaveLength(1);
    expect(violations(checked(belief('a', 1, 0, 5), belief('a', 1, 4, 9)))).toEqual([]);
  });

  it('in different locks are allowed', () => {
    expect(violations(checked(belief('a', 1, 0, 5), belief('b', 1, 0, 5, 'm')))).toEqual([]);
  });

  it('need an interval that is not empty', () => {
    expect(checked(belief('a', 1, 0, 9), belief('b', 2, 4, 4)).overlaps).toEqual([]);
  });
});

describe('a write of an outsider', () => {
  const beliefs = [belief('a', 1, 0, 12), belief('b', 2, 5, 30)];
  const excuse = (outsiders: OutsiderWrite[]) =>
    check({ ...none, beliefs, outsiders }, limits).overlaps[0]?.excusedBy ?? null;

  it('excuses an overlap that lies within one belief after it', () => {
    expect(excuse([deleted(2)])).toEqual(deleted(2));
    expect(violations(check({ ...none, beliefs, outsiders: [deleted(2)] }, limits))).toEqual([]);
  });

  it('does not excuse an overlap that began earlier, lasts longer or is about another lock', () => {
    expect(excuse([deleted(6)])).toBeNull();
    expect(excuse([deleted(1)])).toBeNull();
    expect(excuse([deleted(2, 'm')])).toBeNull();
  });

  it('excuses a process that learns late of a claim that was undone', () => {
    const late = [belief('b', 2, 5, 6), belief('a', 1, 7, 8)];
    expect(check({ ...none, beliefs: late }, limits).tokens).toHaveLength(1);
    expect(check({ ...none, beliefs: late, outsiders: [deleted(4)] }, limits).tokens).toEqual([]);
  });

  it('does not excuse a token that is given twice', () => {
    const twice = [belief('b', 2, 5, 6), belief('a', 2, 7, 8)];
    const { tokens } = check({ ...none, beliefs: twice, outsiders: [deleted(4)] }, limits);
    expect(tokens).toEqual(['l: a (token 2) began at 7 after b (token 2) at 5']);
  });
});

describe('tokens', () => {
  it('that shrink are found, also when a third belief lies between', () => {
    expect(checked(belief('a', 5, 0, 1), belief('b', 4, 2, 3)).tokens).toEqual([
      'l: b (token 4) began at 2 after a (token 5) at 0',
    ]);
    const three = checked(belief('a', 5, 0, 1), belief('b', 3, 2, 3), belief('c', 4, 4, 5));
    expect(three.tokens).toHaveLength(2);
  });
});

describe('the register', () => {
  const register = (...writes: GuardedWrite[]) => check({ ...none, writes }, limits).register;

  it('may accept a token again and reject a lower one', () => {
    expect(register(write('a', 1, 0), write('a', 1, 1), write('b', 2, 2))).toEqual([]);
    expect(register(write('b', 2, 2), write('a', 1, 3, false))).toEqual([]);
  });

  it('must not accept a lower one', () => {
    expect(register(write('b', 2, 2), write('a', 1, 3))).toEqual([
      'l: the write of a with token 1 at 3 was accepted after token 2 of b',
    ]);
  });

  it('must not reject the greatest', () => {
    expect(register(write('a', 1, 2), write('b', 2, 3, false))).toEqual([
      'l: the write of b with token 2 at 3 was rejected although no greater token had been accepted',
    ]);
    expect(register(write('a', 1, 2), write('b', 1, 3, false))).toHaveLength(1);
  });

  it('may see writes of the same moment in any order', () => {
    expect(register(write('b', 2, 2), write('a', 1, 2))).toEqual([]);
    expect(register(write('b', 2, 2), write('a', 1, 2, false))).toEqual([]);
  });
});

const processes = fc.constantFrom('a', 'b', 'c');

/** One belief after the other, each with a write under its token. */
const sequential = fc
  .array(
    fc.record({ process: processes, pause: fc.nat(9), length: fc.integer({ min: 1, max: 9 }) }),
  )
  .map((steps): History => {
    const beliefs: Belief[] = [];
    let now = 0;
    for (const [n, { process, pause, length }] of steps.entries()) {
      const from = now + pause;
      now = from + length;
      beliefs.push(belief(process, n + 1, from, now));
    }
    const writes = beliefs.map(({ process, token, from }) => write(process, Number(token), from));
    return { ...none, beliefs, writes };
  });

/** Good or bad. */
const any = fc.record({
  beliefs: fc.array(
    fc
      .tuple(processes, fc.nat(5), fc.nat(20), fc.nat(9), fc.constantFrom('l', 'm'))
      .map(([process, token, from, length, lock]) =>
        belief(process, token, from, from + length, lock),
      ),
  ),
  writes: fc.array(
    fc
      .tuple(processes, fc.nat(5), fc.nat(20), fc.boolean())
      .map(([process, token, at, accepted]) => write(process, token, at, accepted)),
  ),
  outsiders: fc.array(fc.nat(20).map((at) => deleted(at))),
});

describe('random histories', () => {
  it('are good when the processes take turns', () => {
    fc.assert(
      fc.property(sequential, (history) => {
        expect(violations(check(history, limits))).toEqual([]);
      }),
    );
  });

  it('are bad when one belief lasts too long', () => {
    fc.assert(
      fc.property(sequential, fc.nat(), (history, pick) => {
        const { beliefs } = history;
        fc.pre(beliefs.length > 1);
        const n = pick % (beliefs.length - 1);
        const until = (beliefs[n + 1]?.from ?? 0) + 0.5;
        const planted = beliefs.map((one, index) => (index === n ? { ...one, until } : one));
        const { overlaps } = check({ ...history, beliefs: planted }, limits);
        expect(overlaps.map(({ a, b }) => [a.token, b.token])).toEqual([
          [BigInt(n + 1), BigInt(n + 2)],
        ]);
      }),
    );
  });

  it('give the same findings in any order', () => {
    const shuffled = any.chain((history) =>
      fc.tuple(
        fc.constant(history),
        fc.record({
          beliefs: fc.shuffledSubarray(history.beliefs, { minLength: history.beliefs.length }),
          writes: fc.shuffledSubarray(history.writes, { minLength: history.writes.length }),
          outsiders: fc.shuffledSubarray(history.outsiders, {
            minLength: history.outsiders.length,
          }),
        }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([history, other]) => {
        expect(check(other, limits)).toEqual(check(history, limits));
      }),
    );
  });
});
