// The simulation as the tests run it.
import { execFile } from 'node:child_process';
import type { Result } from './workers.js';

const node = ['--import', './tools/loader.js', 'test/proof/simulation/main.ts', '--json'];

/** Runs in a process of its own: modules inside of Jest are not compiled for speed. */
export function simulate(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 2 ** 26, env: { ...process.env, NODE_OPTIONS: '' } };
    execFile(process.execPath, [...node, ...args], options, (error, stdout, stderr) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      if (error === null || error.code === 1) resolve(JSON.parse(last) as Result);
      else reject(new Error(stderr, { cause: error }));
    });
  });
}

const faults = [
  ...['request lost', 'request delayed', 'request reset'],
  ...['reply lost', 'reply delayed', 'reply reset'],
  ...['watch lost', 'watch delayed', 'watch reset', 'watch twice', 'watch again', 'cut'],
  ...['stale watch start', 'outage frozen', 'outage refused', 'outage failing', 'outage busy'],
  ...['held by a frozen server', 'connection refused', '500', '500 after the commit'],
  ...['429', '429 with a pause', 'refused 401', 'refused 403'],
  ...['stall', 'suspend', 'crash', 'clock step', 'ban', 'outsider'],
];

const outcomes = [
  ...['acquisition', 'term', 'hand-off', 'takeover'],
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
