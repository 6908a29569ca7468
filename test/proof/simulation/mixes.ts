/** Processes at different distances from the API server that take one lock again and again, and nothing fails. */
import type { Item, Plan, ProcessPlan } from './plan.js';

/** One process that loops: how far away it is, one way, and whether it may watch. */
interface Looper {
  readonly distanceMs: number;
  readonly mayWatch?: false;
}

const near: Looper = { distanceMs: 0 };
const polls: Looper = { distanceMs: 0, mayWatch: false };
const away = (distanceMs: number): Looper => ({ distanceMs });

export const mixes: Readonly<Record<string, readonly Looper[]>> = {
  alone: [near],
  'side-by-side': [near, near],
  'away-2': [near, away(2)],
  'away-10': [near, away(10)],
  'away-30': [near, away(30)],
  polling: [near, polls],
  distances: [near, away(2), away(10), away(30), polls],
  crowd: [near, near, near, away(30), polls],
};

const LOCK = 'a';
const HOLD_MS = 20;
/** The longest that a process waits for its turn: one that may not watch looks every 2 s until it is announced. */
const LONGEST_WAIT_MS = { watching: 5_000, polling: 8_000 };

export function mixOf(name: string, lastsMs: number, seed: number): Plan {
  const loopers = mixes[name] ?? [];
  const processes = loopers.map(({ distanceMs }, n): ProcessPlan => {
    const clocks = { rate: 1, wallAheadMs: 0, unseenMs: 0 };
    const plain = { ...clocks, trustServerClock: true, deleteOnRelease: false };
    return { name: `p${n}`, kind: 'ours', ...plain, distanceMs };
  });
  const items = loopers.flatMap(({ mayWatch = true }, n): Item[] => {
    const process = `p${n}`;
    const longestWaitMs = mayWatch ? LONGEST_WAIT_MS.watching : LONGEST_WAIT_MS.polling;
    const ban = { process, status: 403, verbs: ['watch'] } as const;
    const loop = { kind: 'loop', process, lock: LOCK, holdMs: HOLD_MS, longestWaitMs } as const;
    const bans: Item[] = mayWatch ? [] : [{ at: 0, act: { kind: 'ban', ban, forMs: lastsMs } }];
    return [...bans, { at: 1 + n, act: loop }];
  });
  return {
    ...{ seed, processes, lastsMs, items, locks: [LOCK] },
    timings: { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 },
    asks: false,
    wallsAheadMs: [0],
  };
}
