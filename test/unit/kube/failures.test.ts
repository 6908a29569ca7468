import { describe, expect, it } from '@jest/globals';
import { Failures, type Target } from '../../../src/lease/kube/failures.js';

const put = (path: string): Target => ({ method: 'PUT', path });
const byRank = (failures: Failures, targets: readonly Target[]): string[] =>
  [...targets]
    .sort((a, b) => failures.rank(a, 9) - failures.rank(b, 9))
    .map(({ path }) => path.slice(1));

describe('what failed', () => {
  it('is remembered until it succeeds', () => {
    const failures = new Failures();
    expect(failures.has(put('/a'))).toBe(false);
    failures.failed(put('/a'), 0);
    expect([failures.has(put('/a')), failures.has(put('/b'))]).toEqual([true, false]);
    expect(failures.succeeded(put('/b'))).toBe(false);
    expect(failures.succeeded(put('/a'))).toBe(true);
    expect(failures.has(put('/a'))).toBe(false);
  });

  it('is tried again by how often it failed, up to three times, then by when', () => {
    const failures = new Failures();
    const failing: [path: string, times: number][] = [
      ['/often', 9],
      ['/thrice', 3],
      ['/twice', 2],
      ['/once', 1],
      ['/once-later', 1],
    ];
    let now = 0;
    for (const [path, times] of failing) {
      for (let n = 0; n < times; n++) failures.failed(put(path), now++);
    }
    const targets = ['/once-later', '/thrice', '/never', '/often', '/twice', '/once'].map(put);
    expect(byRank(failures, targets)).toEqual([
      ...['never', 'once', 'once-later', 'twice', 'often', 'thrice'],
    ]);
  });

  it('is left alone for the pause that was asked for, until something that failed succeeds', () => {
    const failures = new Failures();
    failures.failed(put('/a'), 100, 5_000);
    failures.failed(put('/b'), 100);
    expect([put('/a'), put('/b')].map((one) => failures.pausedUntil(one))).toEqual([5_100, 100]);
    failures.succeeded(put('/c'));
    expect(failures.pausedUntil(put('/a'))).toBe(5_100);
    failures.succeeded(put('/b'));
    expect(failures.pausedUntil(put('/a'))).toBe(-Infinity);
  });

  it('is forgotten beyond ten thousand, the oldest first', () => {
    const failures = new Failures();
    for (let n = 0; n <= 10_000; n++) failures.failed(put(`/${n}`), n);
    expect(failures.has(put('/0'))).toBe(false);
    expect(failures.has(put('/1'))).toBe(true);
  });
});

describe('two of one namespace and method without an answer', () => {
  const twice = (): Failures => {
    const failures = new Failures();
    for (const name of ['a', 'b']) failures.unanswered(put(`/x/leases/${name}`), 0);
    return failures;
  };

  it('make the others suspect', () => {
    const failures = twice();
    expect(failures.has(put('/x/leases/c'))).toBe(true);
    expect(failures.has(put('/y/leases/c'))).toBe(false);
    expect(failures.has({ method: 'DELETE', path: '/x/leases/c' })).toBe(false);
    expect(failures.rank(put('/x/leases/c'), 123)).toBe(123);
  });

  it('must be two, not one twice', () => {
    const failures = new Failures();
    for (const at of [0, 1]) failures.unanswered(put('/x/leases/a'), at);
    expect(failures.isSuspect(put('/x/leases/c'))).toBe(false);
  });

  it('no longer do so once one of that namespace is answered', () => {
    const failures = twice();
    expect(failures.succeeded(put('/x/leases/c'))).toBe(false);
    expect(failures.isSuspect(put('/x/leases/d'))).toBe(false);
    expect(failures.has(put('/x/leases/a'))).toBe(true);
  });
});
