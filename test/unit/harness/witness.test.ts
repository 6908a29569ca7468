import { describe, expect, it } from '@jest/globals';
import { stalledMs, verdictOf } from '../../../tools/harness/witness.js';

const bound = { what: 'a hand-off', from: 1_000, until: 3_000, limitMs: 1_500 };

describe('A bound of time', () => {
  it('holds when it is not exceeded, whatever the machine did', () => {
    expect(verdictOf({ ...bound, limitMs: 2_000 }, 0)).toBe('held');
    expect(verdictOf({ ...bound, limitMs: 2_000 }, 900)).toBe('held');
  });

  it('is void when it is exceeded while the machine stalled', () => {
    expect(verdictOf(bound, 50)).toBe('void');
  });

  it('is broken when it is exceeded by more than the stalls explain', () => {
    expect(verdictOf(bound, 0)).toBe('broken');
    expect(verdictOf(bound, 49)).toBe('broken');
  });
});

describe('Stalls of the machine', () => {
  it('count as far as they lie between the two times', () => {
    expect(stalledMs([{ from: 0, until: 150 }], 100, 200)).toBe(50);
    expect(stalledMs([{ from: 150, until: 400 }], 100, 200)).toBe(50);
    expect(stalledMs([{ from: 0, until: 90 }], 100, 200)).toBe(0);
  });

  it('count once where they overlap', () => {
    const stalls = [
      { from: 140, until: 160 },
      { from: 110, until: 150 },
      { from: 120, until: 130 },
    ];
    expect(stalledMs(stalls, 100, 200)).toBe(50);
  });
});
