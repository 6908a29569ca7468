// How long nobody leads when a leader is killed: ours beside client-go's, at the same time, by defaults.
import { expect } from '@jest/globals';
import { isFull, ms, percentile, print } from '../../tools/harness/processes/figures.js';
import { Observer } from '../../tools/harness/processes/observer.js';
import { skipUnlessFull, tellWithRival } from './story.js';
import type { RivalStory } from './story.js';
import { oursOf, takeovers, theirsOf } from '../../tools/harness/processes/takeovers.js';

const DURATION_MS = 15_000;
const MARGIN_MS = 2_000;
/** Two pairs of each kind, so that it takes half the time. */
const SIZE = { rounds: 5, lanes: 2 };
const LIMIT_MS = SIZE.rounds * 40_000 + 60_000;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function describe(values: readonly number[]): string {
  const figures = [mean(values), percentile(values, 0.5), Math.max(...values)].map(ms);
  return `mean ${figures[0]}, p50 ${figures[1]}, at most ${figures[2]}`;
}

async function compare(of: RivalStory): Promise<void> {
  const observer = await Observer.open(of.cluster);
  const [ours, theirs] = await Promise.all([
    takeovers(oursOf(of), 'ours', observer, SIZE),
    takeovers(theirsOf(of, of.program), 'client-go', observer, SIZE),
  ]).finally(() => observer.close());
  for (const [kind, took] of [
    ['ours', ours],
    [`client-go ${of.program.version}`, theirs],
  ] as const) {
    const commit = describe(took.map(({ sinceCommit }) => sinceCommit));
    const kill = describe(took.map(({ sinceKill }) => sinceKill));
    const figures = `n=${took.length}, since the last commit ${commit}; since the kill ${kill}`;
    print('takeover', of.cluster, `${kind}: ${figures}`);
  }
  for (const { sinceCommit } of ours) {
    expect(sinceCommit).toBeGreaterThanOrEqual(DURATION_MS - MARGIN_MS);
    expect(sinceCommit).toBeLessThanOrEqual(DURATION_MS + 1_000);
  }
}

const name = 'SIGKILL of the leader: ours beside client-go’s, with leases of 15 s';
if (isFull) tellWithRival(name, LIMIT_MS, compare);
else skipUnlessFull(name);
