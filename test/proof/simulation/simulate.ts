// The simulation as the tests run it.
import { resultOf, results } from '../program.js';
import type { Result } from './workers.js';

const PROGRAM = 'simulation/main.ts';

/** One set of runs. */
export function simulate(...args: readonly string[]): Promise<Result> {
  return resultOf<Result>(PROGRAM, args);
}

/** Sets of `share` runs each, one after the other in one process, until one of them breaks a promise. */
export function simulateInShares(seeds: number, share: number): AsyncGenerator<Result, void> {
  return results<Result>(PROGRAM, ['--seeds', `${seeds}`, '--share', `${share}`]);
}

const faults = [
  ...['request lost', 'request delayed', 'request reset'],
  ...['reply lost', 'reply delayed', 'reply reset'],
  ...['watch lost', 'watch delayed', 'watch reset', 'watch twice', 'watch again', 'cut'],
  ...['stale watch start', 'outage frozen', 'outage refused', 'outage failing', 'outage busy'],
  ...['held by a frozen server', 'connection refused', '500', '500 after the commit'],
  ...['429', '429 with a pause', 'refused 401', 'refused 403'],
  ...['in trouble, 500', 'in trouble, 429', 'in trouble, no answer', 'credentials lost'],
  ...['stall', 'suspend', 'crash', 'clock step', 'ban', 'outsider'],
];

const outcomes = [
  ...['acquisition', 'term', 'hand-off', 'takeover', 'announcement'],
  ...['loss expired', 'loss released'],
  ...['end aborted', 'end failed', 'end lost', 'end stepped-down'],
  ...['refusal by the signal', 'refusal ERR_ACQUIRE_TIMEOUT', 'refusal ERR_CLOSED'],
];

/** Only thousands of runs are sure to meet these. */
export const rare = ['loss deleted', 'loss taken-over'];

/** What a set of runs came to. */
export interface Summary extends Pick<Result, 'violation' | 'seeds'> {
  readonly counts: Readonly<Record<string, number>>;
}

/** Several sets of runs as one. */
export function together(results: readonly Result[]): Summary {
  const counts: Record<string, number> = {};
  for (const [what, times] of results.flatMap((result) => Object.entries(result.counts))) {
    counts[what] = (counts[what] ?? 0) + times;
  }
  const seeds = results.reduce((sum, result) => sum + result.seeds, 0);
  return {
    violation: results.find(({ violation }) => violation !== null)?.violation ?? null,
    seeds,
    counts,
  };
}

/** Everything that a set of runs must have met, with how often it did. */
export function tallied({ counts }: Summary): Record<string, number> {
  return Object.fromEntries(
    [...faults, ...outcomes, ...rare].map((what) => [what, counts[what] ?? 0]),
  );
}

/** Which of it did not happen. */
export function neverMet(result: Summary): string[] {
  return Object.entries(tallied(result)).flatMap(([what, times]) => (times === 0 ? [what] : []));
}

/** How far the runs went, for the end of the test run. */
export function reportOf(result: Summary): string {
  const shown = Object.entries(tallied(result)).map(([what, times]) => `${what} ${times}`);
  const found = result.violation === null ? 'no violation' : '1 violation';
  return `simulation: ${result.seeds} seeds, ${found}; ${shown.join(', ')}\n`;
}
