// What a lease costs the API server while its holder renews it: requests by its own count, against candidates.
import { setTimeout as sleep } from 'node:timers/promises';
import { countDuring, type Traffic } from '../../tools/harness/processes/counter.js';
import type { HolderCalls } from '../../tools/harness/processes/holder.js';
import { ClientGoCandidate } from '../../tools/harness/client-go/candidate.js';
import type { Figure, Points, Result, Row, Stage } from '../stage.js';

const SETTLED_MS = 3_000;
/** The one whose figure has a goal. */
const USUAL = 4;
const CANDIDATES = { quick: [USUAL], full: [1, 2, USUAL, 10] };

async function oursAtRest({ cluster, pool }: Stage, count: number, ms: number): Promise<Traffic> {
  const name = `rest-${count}`;
  const start = () => pool.spawn<HolderCalls>('holder', cluster);
  const leader = await start();
  const followers = await Promise.all(Array.from({ length: count - 1 }, start));
  await leader.call('acquire', name);
  for (const one of followers) void one.call('acquire', name, 300_000).catch(() => undefined);
  await sleep(SETTLED_MS);
  const traffic = await countDuring(cluster, () => sleep(ms));
  await Promise.all([leader, ...followers].map((one) => one.kill()));
  return traffic;
}

async function theirsAtRest(stage: Stage, count: number, ms: number): Promise<number> {
  const { cluster, pool, rival } = stage;
  if (rival === null) return NaN;
  const timings = { duration: '15s', deadline: '10s', retry: '2s' };
  const lease = `rest-of-client-go-${count}`;
  const start = (identity: string) =>
    ClientGoCandidate.start(pool, rival, cluster, { lease, identity, ...timings });
  const first = await start('candidate-0');
  await first.next('leading', 0);
  const others = Array.from({ length: count - 1 }, (_, n) => start(`candidate-${n + 1}`));
  const all = [first, ...(await Promise.all(others))];
  await sleep(SETTLED_MS);
  const { counts, seconds } = await countDuring(cluster, () => sleep(ms));
  await Promise.all(all.map((one) => one.kill()));
  return totalOf(counts) / seconds;
}

function totalOf(counts: Traffic['counts']): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

/** The leader's from renewal to renewal, so that no edge counts; all that is no renewal is somebody else's. */
function ratesOf({ counts, changes, seconds }: Traffic) {
  const spanMs = (changes.at(-1)?.at ?? NaN) - (changes[0]?.at ?? NaN);
  const leader = (changes.length - 1) / (spanMs / 1_000);
  return { leader, followers: (totalOf(counts) - changes.length) / seconds };
}

async function run(stage: Stage): Promise<Result> {
  const { isQuick, say } = stage;
  const windowMs = isQuick ? 13_000 : 31_000;
  const ours: [number, number][] = [];
  const theirs: [number, number][] = [];
  const figures: Figure[] = [];
  for (const count of isQuick ? CANDIDATES.quick : CANDIDATES.full) {
    say(`${count} candidates at rest`);
    const { leader, followers } = ratesOf(await oursAtRest(stage, count, windowMs));
    const rate = await theirsAtRest(stage, count, windowMs);
    ours.push([count, leader + followers]);
    theirs.push([count, rate]);
    if (count !== USUAL) continue;
    figures.push({
      figure: `requests per second at rest, a leader and ${USUAL - 1} followers: leader; followers`,
      goal: '≤ 0.5; 0',
      measured: `${leader.toFixed(3)}; ${followers.toFixed(2)}`,
      isMet: leader <= 0.5 && followers === 0,
      rival: stage.rival === null ? '' : `client-go: ${rate.toFixed(2)} all together`,
    });
  }
  const points: Points = stage.rival === null ? { ours } : { ours, 'client-go': theirs };
  return { figures, points };
}

export const candidates: Row = { name: 'candidates', run };
