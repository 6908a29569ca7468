/**
 * The whole library, from `Lock` and `Election` down to its requests, on virtual time, in a cluster that loses,
 * delays and repeats messages, and stops, stalls, suspends and kills processes. Every run has a seed:
 * `npm run simulate -- --replay SEED` does the same again.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import { neverMet, rare, reportOf, simulate, simulateInShares, together } from './simulate.js';
import type { Result } from './workers.js';

/** `simulation.verification.test.ts` runs more of them. */
const SEEDS = 200;
/** A test of less than a second on an idle machine. */
const SHARE = 10;

describe('the simulation', () => {
  const results: Result[] = [];
  const shares = simulateInShares(SEEDS, SHARE);
  afterAll(() => shares.return());

  test.each(Array.from({ length: SEEDS / SHARE }, (_, part) => 1 + part * SHARE))(
    `no promise is broken in the ${SHARE} runs from seed %i on`,
    async (from) => {
      const index = (from - 1) / SHARE;
      for (let next; results.length <= index && next?.done !== true;) {
        next = await shares.next();
        if (next.value !== undefined) results.push(next.value);
      }
      const result = results[index];
      if (result === undefined) throw new Error(`the runs ended before seed ${from}`);
      expect(result.violation?.trace.join('\n')).toBeUndefined();
      expect(result.seeds).toBe(SHARE);
    },
    500_000,
  );

  test('everything that can happen happened in one of these runs', () => {
    const all = together(results);
    process.stderr.write(reportOf(all));
    expect(all.seeds).toBe(SEEDS);
    expect(neverMet(all).filter((what) => !rare.includes(what))).toEqual([]);
  });

  test('a seed decides everything that happens', async () => {
    const [once, again, replayed, other] = await Promise.all([
      simulate('--seeds', '1', '--from', '24'),
      simulate('--seeds', '1', '--from', '24'),
      simulate('--replay', '24'),
      simulate('--replay', '25'),
    ]);
    expect(again).toEqual(once);
    expect(replayed).toEqual(once);
    expect(other.hash).not.toBe(once.hash);
  }, 300_000);

  test('clocks that differ by more than the margin are noticed: beliefs overlap, and tokens still grow', async () => {
    const { violation, overlaps } = await simulate('--beyond', '--seeds', '30');
    expect(violation?.trace.join('\n')).toBeUndefined();
    expect(overlaps).toBeGreaterThan(0);
  }, 300_000);
});

describe('processes that take one lock again and again', () => {
  // `simulation.verification.test.ts` lets them go on for minutes, in every mix.
  test.each(['away-30', 'polling', 'distances'])(
    'all get their turn: %s',
    async (mix) => {
      const result = await simulate('--mix', mix, '--lasts', '12000', '--seeds', '1');
      expect(result.violation?.trace.join('\n')).toBeUndefined();
      expect(result.counts['announcement']).toBeGreaterThan(0);
    },
    300_000,
  );

  test('stand back for no other process where none has been passed over', async () => {
    const { counts, waits } = await simulate('--mix', 'alone', '--lasts', '12000', '--seeds', '1');
    expect(counts['announcement']).toBeUndefined();
    expect(waits['p0']).toBeLessThan(100);
  }, 300_000);
});

describe('electors with other rules, in the same cluster', () => {
  test('one that takes over by the wall clock leads beside another', async () => {
    const { violation } = await simulate('--rival', 'wall-clock', '--seeds', '20');
    expect(violation?.promise).toBe('1');
    expect(violation?.trace.at(-1)).toContain('believed for');
  }, 300_000);

  test('one that writes without compare-and-swap leads beside another', async () => {
    const { violation } = await simulate('--rival', 'no-cas', '--from', '80', '--seeds', '20');
    expect(violation?.promise).toBe('1');
  }, 300_000);

  test('one that decides as client-go does leads beside another after its machine was suspended', async () => {
    const { violation } = await simulate('--rival', 'client-go', '--from', '18', '--seeds', '10');
    expect(violation?.promise).toBe('1');
    expect(violation?.trace.join('\n')).toContain('-- suspend');
  }, 300_000);

  test('one that decides as client-go does is alone otherwise', async () => {
    const { violation, counts } = await simulate(
      '--rival',
      'client-go',
      '--from',
      '19',
      '--seeds',
      '60',
    );
    expect(violation?.trace.join('\n')).toBeUndefined();
    expect(counts.term).toBeGreaterThan(60);
  }, 300_000);
});
