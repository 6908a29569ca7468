/**
 * The whole library, from `Lock` and `Election` down to its requests, on virtual time in a world that loses,
 * delays and repeats messages, and stops, stalls, suspends and kills processes. Every run has a seed:
 * `npm run simulate -- --replay SEED` does the same again.
 */
import { execFile } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import type { Result } from './workers.js';

const SEEDS = 2_000;
const node = ['--import', './tools/loader.js', 'test/proof/simulation/main.ts', '--json'];

/** Runs the command in a process of its own, since a run takes the globals of the process that it is in. */
function simulate(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 2 ** 26 };
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
  ...['outage frozen', 'outage refused', 'outage failing', 'outage busy'],
  ...['held by a frozen server', 'connection refused', '500', '500 after the commit'],
  ...[
    '429',
    '429 with a pause',
    'stall',
    'suspend',
    'crash',
    'wall',
    'ban',
    'refused 401',
    'refused 403',
    'outsider',
  ],
];

const outcomes = [
  ...['acquisition', 'term', 'hand-off', 'takeover'],
  ...['loss expired', 'loss deleted', 'loss taken-over', 'loss released'],
  ...['end aborted', 'end failed', 'end lost', 'end stepped-down'],
  ...['refusal by the signal', 'refusal ERR_ACQUIRE_TIMEOUT', 'refusal ERR_CLOSED'],
];

describe('the simulation', () => {
  test('no promise is broken in any of its runs', async () => {
    const { violation, seeds, counts } = await simulate('--seeds', `${SEEDS}`);
    const shown = [...faults, ...outcomes].map((what) => `${what} ${counts[what] ?? 0}`);
    process.stderr.write(
      `simulation: ${seeds} seeds, ${violation === null ? 'no' : 1} violations; ${shown.join(', ')}\n`,
    );
    expect(violation?.trace.join('\n')).toBeUndefined();
    expect(seeds).toBe(SEEDS);
    for (const what of [...faults, ...outcomes]) {
      expect(`${what}: ${counts[what] ?? 0}`).not.toBe(`${what}: 0`);
    }
  }, 500_000);

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
  }, 60_000);

  test('clocks that differ by more than the margin are noticed: two believe, and tokens still grow', async () => {
    const { violation, overlaps } = await simulate('--beyond', '--seeds', '60');
    expect(violation?.trace.join('\n')).toBeUndefined();
    expect(overlaps).toBeGreaterThan(0);
  }, 60_000);
});

describe('electors by the rules of others, in the same world', () => {
  test('who takes over by the wall clock leads beside another', async () => {
    const { violation } = await simulate('--rival', 'wall-clock', '--seeds', '20');
    expect(violation?.promise).toBe('1');
    expect(violation?.trace.at(-1)).toContain('believed for');
  }, 60_000);

  test('who writes without compare-and-swap leads beside another', async () => {
    const { violation } = await simulate('--rival', 'no-cas', '--from', '80', '--seeds', '20');
    expect(violation?.promise).toBe('1');
  }, 60_000);

  test('who does as client-go leads beside another after its node was suspended', async () => {
    const { violation } = await simulate('--rival', 'client-go', '--from', '18', '--seeds', '10');
    expect(violation?.promise).toBe('1');
    expect(violation?.trace.join('\n')).toContain('-- suspend');
  }, 60_000);

  test('and else is alone', async () => {
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
  }, 60_000);
});
