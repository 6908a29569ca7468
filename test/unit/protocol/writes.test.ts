import { describe, expect, it } from '@jest/globals';
import { nothingSeen, observe } from '../../../src/lease/protocol/sight.js';
import type { Write } from '../../../src/lease/protocol/state.js';
import { tenure, vacancy } from '../../../src/lease/protocol/step.js';
import { landedWrite } from '../../../src/lease/protocol/writes.js';
import { leaseWith, terms, vacantLease } from '../../../tools/harness/protocol/fixtures.js';

const STAMP = 1_700_000_000_000;
const mine = terms('a');
/** The record that the release replaces: of our own term. */
const held = (() => {
  const lease = vacantLease(2n);
  return leaseWith(tenure({ lease, version: 2n }, STAMP - 5_000, mine), 3n);
})();
const before = observe(nothingSeen, { kind: 'present', lease: held, asked: null }, 0);
const release: Write = { intent: 'vacate', base: 3n, stamp: STAMP, sentAt: 0, awaited: true };

/** What a vacant record with this count of transitions shows to have landed. */
function shownBy(transitions: number, stamp = STAMP): Write | undefined {
  const lease = leaseWith(vacancy(stamp, transitions), 5n);
  const after = observe(before, { kind: 'present', lease, asked: null }, 1);
  return landedWrite([release], before, after, mine);
}

describe('a vacant record', () => {
  it('shows that the release landed whose stamp it has', () => {
    expect(shownBy(held.record.transitions)).toBe(release);
    expect(shownBy(held.record.transitions, STAMP + 1)).toBeUndefined();
  });

  it('shows nothing when another process held and released in between, even in the moment of our stamp', () => {
    expect(shownBy(held.record.transitions + 1)).toBeUndefined();
  });
});
