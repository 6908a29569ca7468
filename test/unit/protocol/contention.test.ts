// What a process knows of its rivals. How that spreads claims is in test/unit/runtime/view.test.ts.
import { describe, expect, it } from '@jest/globals';
import {
  lostClaim,
  measured,
  noContention,
  paceOf,
  sawChange,
  type Contention,
} from '../../../src/lease/protocol/contention.js';
import { nothingSeen, observe, type Sight } from '../../../src/lease/protocol/sight.js';
import type { Lease } from '../../../src/lease/record.js';
import { foreignLease, vacantLease } from '../../../tools/harness/protocol/fixtures.js';

function seen(lease: Lease, before: Sight = nothingSeen): Sight {
  return observe(before, { kind: 'present', lease, asked: null }, 0);
}

const vacant = vacantLease(5n);
const isRival = ({ guess }: Contention): boolean => guess > 0;

describe('a lost claim', () => {
  it('tells of a rival when another record stands there, now or later', () => {
    const before = seen(vacant);
    const after = seen(foreignLease(6n, 1), before);
    expect(isRival(lostClaim(noContention, vacant, after))).toBe(true);
    const undecided = lostClaim(noContention, vacant, before);
    expect(isRival(undecided)).toBe(false);
    expect(isRival(sawChange(undecided, before, after))).toBe(true);
  });

  it('to an announcement, or to an edit of a label, tells of none', () => {
    const before = seen(vacant);
    const after = seen({ ...vacant, version: 6n }, before);
    expect(isRival(lostClaim(noContention, vacant, after))).toBe(false);
    const settled = sawChange(lostClaim(noContention, vacant, before), before, after);
    expect(isRival(settled)).toBe(false);
    // And what comes later is another story.
    expect(isRival(sawChange(settled, after, seen(foreignLease(7n, 1), after)))).toBe(false);
  });

  it('tells of a rival when the lease is gone', () => {
    const gone: Sight = { kind: 'absent', serial: 2, version: 6n, heardAt: 0 };
    expect(isRival(lostClaim(noContention, vacant, gone))).toBe(true);
  });
});

describe('the round trip', () => {
  it('is known after a handful of answers', () => {
    let contention = noContention;
    for (let n = 0; n < 8; n++) contention = measured(contention, 60);
    expect(paceOf(contention, 'me', 0.5).roundTripMs).toBeGreaterThan(50);
  });
});
