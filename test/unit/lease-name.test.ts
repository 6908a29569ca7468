import { describe, expect, it } from '@jest/globals';
import { InvalidOptionError, Lock, leaseName } from '@metaparticle/sync';
import { fc } from '../support/property.js';

describe('leaseName', () => {
  it('leaves a key alone that can be a name', () => {
    const keys = ['nightly-report', 'a', '0', 'payments.shard-0', 'a'.repeat(253), 'x-y'];
    expect(keys.map(leaseName)).toEqual(keys);
  });

  it('keeps what is readable of any other, and tells it apart by a hash of the whole', () => {
    expect(leaseName('Order #42')).toBe('order-42-x7sd6q3q2s08oq2nll71od8cf56');
    expect(leaseName('')).toMatch(/^x[0-9a-v]{26}$/);
    expect(leaseName('注文')).toMatch(/^x[0-9a-v]{26}$/);
    expect(leaseName('Long '.repeat(100))).toHaveLength(99 + 28);
    expect(leaseName('a/b')).not.toBe(leaseName('a-b'));
    expect(leaseName('A/B')).not.toBe(leaseName('a/b'));
  });

  it('takes no made name for a key that is its own name', () => {
    const made = leaseName('Order #42');
    expect(leaseName(made)).not.toBe(made);
  });

  it('tells halves of surrogate pairs apart', () => {
    expect(leaseName('\ud800')).not.toBe(leaseName('\ud801'));
  });

  it('refuses what is no string', () => {
    expect(() => leaseName(42 as never)).toThrow(InvalidOptionError);
  });

  const keys = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ maxLength: 300 }),
    fc.stringMatching(/^[a-z0-9.-]{1,60}$/),
    fc.stringMatching(/^[a-z]{0,3}-?x[0-9a-v]{26}$/),
  );

  it('always gives a name that a Lease can have', () => {
    fc.assert(fc.property(keys, (key) => new Lock(leaseName(key)).name === leaseName(key)));
  });

  it('gives different keys different names', () => {
    const pairs = fc.property(keys, keys, (one, other) => {
      return (one === other) === (leaseName(one) === leaseName(other));
    });
    fc.assert(pairs, { numRuns: 1_000 });
    const made = fc.property(
      keys,
      (key) => leaseName(leaseName(key)) !== leaseName(key) || leaseName(key) === key,
    );
    fc.assert(made);
  });
});
