// How long nobody leads when a leader is killed: ours beside client-go's, at the same time, by defaults.
import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CandidateCalls } from './workers/candidate.js';
import { isFull, ms, percentile, print } from './workers/figures.js';
import { Observer } from './workers/observer.js';
import { Rival } from './workers/rival.js';
import { skipUnlessFull, tellWithRival } from './workers/story.js';
import type { RivalStory } from './workers/story.js';
import { now } from './workers/time.js';

const DURATION_MS = 15_000;
const MARGIN_MS = 2_000;
const RENEW_INTERVAL_MS = 2_000;
/** Two pairs of each kind, so that it takes half the time. */
const LANES = 2;
const ROUNDS = 5;
/** Until the next one listens, and has seen a renewal: it counts from what it saw itself. */
const SETTLING_MS = RENEW_INTERVAL_MS + 500;
const TAKEOVER_LIMIT_MS = 60_000;
const LIMIT_MS = ROUNDS * 40_000 + 60_000;

/** A candidate of either kind. */
interface Contender {
  readonly identity: string;
  /** When its first term began. */
  leading(): Promise<number>;
  kill(): Promise<unknown>;
}

type Start = (lease: string, identity: string) => Promise<Contender>;

interface Takeover {
  readonly sinceCommit: number;
  readonly sinceKill: number;
}

function oursOf({ cluster, crew }: RivalStory): Start {
  return async (name, identity) => {
    const worker = await crew.start<CandidateCalls>('candidate', cluster, { name, identity });
    await worker.call('start', undefined);
    const leading = async (): Promise<number> => {
      const { at } = await worker.call('term', 0, TAKEOVER_LIMIT_MS);
      return at;
    };
    return { identity, leading, kill: () => worker.kill() };
  };
}

function theirsOf({ cluster, crew, program }: RivalStory): Start {
  return async (lease, identity) => {
    const rival = await Rival.start(crew, program, cluster, { lease, identity });
    const leading = async (): Promise<number> =>
      (await rival.next('leading', 0, TAKEOVER_LIMIT_MS)).at;
    return { identity, leading, kill: () => rival.kill() };
  };
}

async function takeovers(start: Start, lease: string, observer: Observer): Promise<Takeover[]> {
  let leader = await start(lease, `${lease}-0`);
  await leader.leading();
  const took: Takeover[] = [];
  while (took.length < ROUNDS) {
    const next = await start(lease, `${lease}-${took.length + 1}`);
    await sleep(SETTLING_MS + Math.random() * RENEW_INTERVAL_MS);
    const killedAt = now();
    await leader.kill();
    const at = await next.leading();
    const { identity } = leader;
    const last = observer.of(lease).findLast(({ holder }) => holder === identity);
    took.push({ sinceCommit: at - (last?.at ?? NaN), sinceKill: at - killedAt });
    leader = next;
  }
  await leader.kill();
  return took;
}

async function lanes(start: Start, kind: string, observer: Observer): Promise<Takeover[]> {
  const each = Array.from({ length: LANES }, (_, n) => takeovers(start, `${kind}-${n}`, observer));
  return (await Promise.all(each)).flat();
}

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
    lanes(oursOf(of), 'ours', observer),
    lanes(theirsOf(of), 'client-go', observer),
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
