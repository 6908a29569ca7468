// Processes at different distances that take one lock again and again: how long each has to wait for its turn.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../../tools/harness/processes/pool.js';
import { Distance, placeBehind, placeWith, type Place } from '../../tools/harness/distance.js';
import { now } from '../../tools/harness/processes/time.js';
import type { Figure, Result, Row, Stage } from '../stage.js';
import type { HerdCalls, HerdReport, HerdSettings } from '../../tools/harness/processes/herd.js';

const HOLD_MS = 20;
const LAGS_MS = [0, 2, 10, 30];
const LASTS_MS = { quick: 15_000, full: 60_000 };
const GOAL_MS = { watching: 5_000, polling: 8_000 };
/** The lease exists, watches are open, round trips are known. */
const WARM_UP_MS = 1_000;

/** One process that loops, and where it is. */
interface Looper {
  readonly what: string;
  readonly place: Place;
  readonly goalMs: number;
}

interface Outcome {
  readonly turns: number;
  readonly longestWaitMs: number;
}

/** All of them at once, for a while. */
async function loop(
  { pool, isQuick }: Stage,
  name: string,
  loopers: readonly Looper[],
): Promise<Outcome[]> {
  const settings: HerdSettings = { name, waiters: 1, holdMs: HOLD_MS };
  const program = 'herd';
  const workers: Worker<HerdCalls>[] = [];
  for (const { place } of loopers) workers.push(await pool.spawn(program, place, settings));
  await Promise.all(workers.map((one) => one.call('start', undefined)));
  await sleep(WARM_UP_MS);
  const from = now();
  await sleep(isQuick ? LASTS_MS.quick : LASTS_MS.full);
  const until = now();
  const reports = await Promise.all(workers.map((one) => one.call('stop', undefined)));
  await Promise.all(workers.map((one) => one.kill()));
  return reports.map((report) => outcomeOf(report, from, until));
}

/** Waits that had not ended count as far as they went. */
function outcomeOf({ holds }: HerdReport, from: number, until: number): Outcome {
  const during = holds.filter(({ acquiredAt }) => acquiredAt >= from && acquiredAt < until);
  const begun = [from, ...during.map(({ releasedAt }) => releasedAt)];
  const ended = [...during.map(({ acquiredAt }) => acquiredAt), until];
  const waits = begun.map((at, n) => (ended[n] ?? until) - at);
  return { turns: during.length, longestWaitMs: Math.max(...waits) };
}

function figureOf(figure: string, loopers: readonly Looper[], outcomes: Outcome[]): Figure {
  const measured = outcomes.map(
    ({ turns, longestWaitMs }) => `${(longestWaitMs / 1_000).toFixed(1)} s (${turns} turns)`,
  );
  const goals = loopers.map(({ goalMs }) => goalMs / 1_000).join(', ');
  const isMet = loopers.every(({ goalMs }, n) => (outcomes[n]?.longestWaitMs ?? NaN) <= goalMs);
  return { figure, goal: `≤ ${goals} s`, measured: measured.join(', '), isMet, rival: '' };
}

async function run(stage: Stage): Promise<Result> {
  const ways = await Promise.all(LAGS_MS.map((ms) => Distance.to(stage.cluster.server, ms)));
  try {
    return await measureAll(stage, ways);
  } finally {
    await Promise.all(ways.map((way) => way[Symbol.asyncDispose]()));
  }
}

async function measureAll(stage: Stage, ways: readonly Distance[]): Promise<Result> {
  const { cluster, isQuick, say } = stage;
  const near: Looper = { what: 'near', place: cluster, goalMs: GOAL_MS.watching };
  const far: Looper[] = [];
  for (const { lagMs, url } of ways) {
    const place = await placeBehind(cluster, url);
    far.push({ what: `${lagMs} ms further away`, place, goalMs: GOAL_MS.watching });
  }
  const verbs = ['get', 'create', 'update', 'patch'] as const;
  const polls = { what: 'may not watch', place: await placeWith(cluster, verbs) };
  far.push({ ...polls, goalMs: GOAL_MS.polling });
  const figures: Figure[] = [];
  const seconds = (isQuick ? LASTS_MS.quick : LASTS_MS.full) / 1_000;
  const measure = async (what: string, loopers: readonly Looper[]): Promise<Outcome[]> => {
    say(what);
    const outcomes = await loop(stage, `distance-${figures.length}`, loopers);
    figures.push(figureOf(`longest wait in ${seconds} s: ${what}`, loopers, outcomes));
    say(figures.at(-1)?.measured ?? '');
    return outcomes;
  };
  const [lone] = await measure('one process alone', [near]);
  const two = await measure('two processes side by side', [near, near]);
  for (const one of far) await measure(`a process, and one that is ${one.what}`, [near, one]);
  await measure('all of these at once', [near, ...far]);
  const perSecond = (turns: number): string => (turns / seconds).toFixed(1);
  const both = two.reduce((sum, { turns }) => sum + turns, 0);
  figures.push({
    figure: 'turns per second: one process alone; two side by side',
    ...{ goal: '', measured: `${perSecond(lone?.turns ?? 0)}; ${perSecond(both)}` },
    ...{ isMet: null, rival: '' },
  });
  return { figures };
}

export const distance: Row = { name: 'distance', run };
