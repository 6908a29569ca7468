import { describe, expect, it } from '@jest/globals';
import { readOurs, readTheirs } from './read-logs.js';
import { spell, version } from './samples.js';

describe('what was written down', () => {
  it('of ours: belief only where it was asked for', () => {
    const { spells, tokens } = readOurs(
      'me',
      [
        { at: 1_000, event: 'leading', token: '9990' },
        { at: 1_003, event: 'believes' },
        { at: 1_055, event: 'believes' },
        { at: 1_070, event: 'doubts', until: 1_065 },
        { at: 1_071, event: 'stopped', reason: 'lost' },
        { at: 3_000, event: 'leading', token: '29990' },
        { at: 3_002, event: 'believes' },
        { at: 3_054, event: 'believes' },
      ],
      [],
      [version(1_000, 'me', 9_990), version(2_000, 'me', 9_990), version(3_000, 'me', 29_990)],
    );
    expect(tokens).toEqual([9_990n, 29_990n]);
    expect(spells).toEqual([spell(1_003, 1_065, 1_000), spell(3_002, 3_054, 3_000)]);
  });

  it('of client-go’s: the work until it is cancelled, or until the process ends', () => {
    const { spells, requests } = readTheirs(
      'go-a',
      [
        { at: 900, event: 'get', sentAt: 899, error: 'not found' },
        { at: 1_000, event: 'create', sentAt: 990, version: '77', holder: 'go-a' },
        { at: 1_001, event: 'leading' },
        { at: 2_000, event: 'resigning' },
        { at: 2_001, event: 'cancelled' },
        { at: 5_000, event: 'update', sentAt: 4_999, version: '88', holder: 'go-a' },
        { at: 5_001, event: 'leading' },
      ],
      [],
      6_000,
    );
    expect(spells).toEqual([
      { from: 1_001, to: 2_000, claim: 77n },
      { from: 5_001, to: 6_000, claim: 88n },
    ]);
    expect(requests[0]).toEqual({ event: 'get', sentAt: 899, at: 900, found: null });
  });
});
