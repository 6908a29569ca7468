import { Prng } from '../../../tools/harness/random.js';
import type { Ban } from './network.js';
import type { StreamEnding } from './stream.js';
import type { Outage, Window } from './weather.js';

export interface Timings {
  readonly leaseDurationMs: number;
  readonly renewIntervalMs: number;
  readonly marginMs: number;
}

/** Electors that others use, by their rules of decision. */
export const rivalKinds = ['client-go', 'wall-clock', 'no-cas'] as const;
export type RivalKind = (typeof rivalKinds)[number];

export interface ProcessPlan {
  readonly name: string;
  readonly kind: 'ours' | RivalKind;
  readonly rate: number;
  readonly wallAheadMs: number;
  readonly trustServerClock: boolean;
  readonly deleteOnRelease: boolean;
}

/** What a process of ours is asked to do. */
export type Work =
  | {
      readonly kind: 'lock';
      readonly how: 'acquire' | 'try' | 'with' | 'with-failing';
      readonly process: string;
      readonly lock: string;
      readonly holdMs: number;
      readonly timeoutMs: number | null;
      readonly abortAfterMs: number | null;
    }
  | {
      readonly kind: 'campaign';
      readonly process: string;
      readonly lock: string;
      readonly forMs: number;
      readonly drainMs: number;
      readonly failsAfterMs: number | null;
    }
  | {
      readonly kind: 'step-down';
      readonly process: string;
      readonly lock: string;
      readonly cooldownMs: number;
    }
  | { readonly kind: 'close'; readonly process: string; readonly downMs: number };

export type Fault =
  | { readonly kind: 'crash'; readonly process: string; readonly downMs: number }
  | { readonly kind: 'stall' | 'suspend'; readonly process: string; readonly forMs: number }
  | { readonly kind: 'wall'; readonly process: string; readonly byMs: number }
  | { readonly kind: 'weather'; readonly window: Window; readonly forMs: number }
  | { readonly kind: 'outage'; readonly outage: Outage; readonly forMs: number }
  | { readonly kind: 'cut'; readonly process: string | null; readonly ending: StreamEnding }
  | { readonly kind: 'ban'; readonly ban: Ban; readonly forMs: number }
  | {
      readonly kind: 'outsider';
      readonly lock: string;
      readonly how: 'delete' | 'overwrite' | 'blank' | 'label';
    };

export type Act = Work | Fault;

export interface Item {
  readonly at: number;
  readonly act: Act;
}

/** Everything that a run is made of, as data: what is left out of it does not happen. */
export interface Plan {
  readonly seed: number;
  readonly timings: Timings;
  readonly processes: readonly ProcessPlan[];
  readonly locks: readonly string[];
  /** When faults stop. */
  readonly lastsMs: number;
  /** Whether every handle is asked at every event; else it is left to its own timers. */
  readonly asks: boolean;
  readonly wallsAheadMs: readonly number[];
  readonly items: readonly Item[];
}

export interface PlanOptions {
  /** Clock rates differ by more than the margin covers. */
  readonly beyond?: boolean;
  /** Who the other processes are. */
  readonly rival?: RivalKind;
}

const TIMINGS: readonly Timings[] = [
  { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 },
  { leaseDurationMs: 5_000, renewIntervalMs: 1_500, marginMs: 500 },
  { leaseDurationMs: 6_000, renewIntervalMs: 2_000, marginMs: 1_000 },
  { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 },
];

/** So many runs are long. */
const LONG = 0.1;

export function planOf(seed: number, options: PlanOptions = {}): Plan {
  const chance = new Prng(seed);
  const timings = chance.pick(TIMINGS);
  const { leaseDurationMs } = timings;
  const lastsMs = lengthOf(chance, timings);
  const processes = processesOf(chance, timings, options);
  const crowd = chance.is(0.04) ? ['c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] : [];
  const locks = [...(chance.is(0.5) ? ['a'] : ['a', 'b']), ...crowd];
  // API servers whose clocks are a whole duration apart are promised to be borne.
  const wallsAheadMs = [0, chance.between(-1, 1) * leaseDurationMs];
  const scene = { chance, timings, processes, locks, lastsMs };
  const items = [...worksOf(scene), ...faultsOf(scene)].sort((a, b) => a.at - b.at);
  const asks = chance.is(0.5);
  return { seed, timings, processes, locks, lastsMs, asks, wallsAheadMs, items };
}

/** Many short runs find more than few long ones; but some things take their time. */
function lengthOf(chance: Prng, { leaseDurationMs }: Timings): number {
  if (chance.is(LONG)) return chance.whole(25_000, 60_000);
  return Math.round(leaseDurationMs * chance.between(1, 2.5));
}

interface Scene {
  readonly chance: Prng;
  readonly timings: Timings;
  readonly processes: readonly ProcessPlan[];
  readonly locks: readonly string[];
  readonly lastsMs: number;
}

function processesOf(
  chance: Prng,
  { leaseDurationMs, marginMs }: Timings,
  { beyond = false, rival }: PlanOptions,
): ProcessPlan[] {
  // The fastest candidate against the slowest holder must not use up the margin.
  const spread = Math.sqrt(leaseDurationMs / (leaseDurationMs - marginMs));
  const widest = beyond ? spread * 1.6 : spread * 0.999;
  const isRated = beyond || chance.is(0.5);
  return Array.from({ length: chance.whole(3, 4) }, (_, n) => ({
    name: `p${n}`,
    kind: rival ?? 'ours',
    rate: isRated ? chance.pick([1 / widest, widest, chance.between(1 / widest, widest)]) : 1,
    wallAheadMs: chance.is(0.5) ? 0 : chance.between(-60_000, 60_000),
    trustServerClock: chance.is(0.7),
    deleteOnRelease: chance.is(0.15),
  }));
}

function worksOf(scene: Scene): Item[] {
  const { chance, processes, lastsMs } = scene;
  const everyMs = chance.pick([2_000, 4_000, 8_000]);
  return processes.flatMap(({ name }) => {
    const items: Item[] = [];
    for (let at = chance.between(0, 3_000); at < lastsMs; at += chance.next() * 2 * everyMs) {
      items.push({ at, act: workOf(scene, name) });
    }
    return items;
  });
}

function workOf({ chance, locks, timings: { leaseDurationMs } }: Scene, process: string): Work {
  const lock = chance.pick(locks);
  const dice = chance.next();
  if (dice < 0.03) return { kind: 'close', process, downMs: chance.between(0, 5_000) };
  if (dice < 0.1) {
    const cooldownMs = chance.pick([0, 1_000, leaseDurationMs]);
    return { kind: 'step-down', process, lock, cooldownMs };
  }
  if (dice < 0.3) {
    return {
      ...{ kind: 'campaign', process, lock },
      forMs: chance.between(1_000, 25_000),
      drainMs: chance.pick([0, 100, 1_500, 5_000]),
      failsAfterMs: chance.is(0.15) ? chance.between(0, 5_000) : null,
    };
  }
  return {
    ...{ kind: 'lock', process, lock },
    how: chance.pick(['acquire', 'acquire', 'acquire', 'try', 'with', 'with-failing']),
    holdMs: chance.pick([0, 50, 500, 3_000, 1.5 * leaseDurationMs]),
    timeoutMs: chance.is(0.4) ? chance.between(0, 2 * leaseDurationMs) : null,
    abortAfterMs: chance.is(0.3) ? chance.pick([0, 2, 5, 20, 1_000, 5_000]) : null,
  };
}

function faultsOf(scene: Scene): Item[] {
  const { chance, lastsMs } = scene;
  const everyMs = chance.pick([800, 2_500, 8_000]);
  const hasOutsiders = chance.is(0.3);
  const items: Item[] = [];
  for (let at = chance.next() * everyMs; at < lastsMs; at += chance.next() * 2 * everyMs) {
    const act = chance.pick(hasOutsiders ? [...FAULTS, outsider] : FAULTS)(scene, lastsMs - at);
    items.push({ at, act });
  }
  return items;
}

type FaultMaker = (scene: Scene, left: number) => Fault;

const anybody = ({ chance, processes }: Scene): string => chance.pick(processes).name;

function weather(window: Pick<Window, 'leg' | 'trouble'>): FaultMaker {
  return (scene) => {
    const { chance, timings } = scene;
    const process = chance.is(0.5) ? null : anybody(scene);
    const ms = chance.pick([300, 2_000, 1.4 * timings.leaseDurationMs]);
    const likely = chance.pick([0.1, 0.4, 1]);
    return {
      kind: 'weather',
      window: { ...window, process, ms, chance: likely },
      forMs: chance.between(100, likely === 1 ? 4_000 : 12_000),
    };
  };
}

/** What lasts ends before faults stop. */
function lasting(chance: Prng, timings: Timings, left: number): number {
  return Math.min(left, chance.pick([200, 1_500, 4_000, 1.5 * timings.leaseDurationMs]));
}

const FAULTS: readonly FaultMaker[] = [
  weather({ leg: 'request', trouble: 'lost' }),
  weather({ leg: 'request', trouble: 'delayed' }),
  weather({ leg: 'request', trouble: 'reset' }),
  weather({ leg: 'reply', trouble: 'lost' }),
  weather({ leg: 'reply', trouble: 'delayed' }),
  weather({ leg: 'reply', trouble: 'reset' }),
  weather({ leg: 'watch', trouble: 'lost' }),
  weather({ leg: 'watch', trouble: 'delayed' }),
  weather({ leg: 'watch', trouble: 'reset' }),
  weather({ leg: 'watch', trouble: 'twice' }),
  weather({ leg: 'watch', trouble: 'again' }),
  ({ chance, timings }, left) => ({
    kind: 'outage',
    outage: chance.pick(['frozen', 'refused', 'failing', 'busy']),
    forMs: lasting(chance, timings, left),
  }),
  (scene, left) => ({
    kind: scene.chance.is(0.7) ? 'stall' : 'suspend',
    process: anybody(scene),
    forMs: lasting(scene.chance, scene.timings, left),
  }),
  (scene, left) => ({
    kind: 'stall',
    process: anybody(scene),
    forMs: lasting(scene.chance, scene.timings, left),
  }),
  (scene, left) => ({
    kind: 'crash',
    process: anybody(scene),
    downMs: Math.min(left, scene.chance.pick([0, 1_000, 2 * scene.timings.leaseDurationMs])),
  }),
  (scene) => ({
    kind: 'wall',
    process: anybody(scene),
    byMs: scene.chance.pick([-3_600_000, -10_000, -1_000, 1_000, 10_000, 3_600_000]),
  }),
  (scene) => ({
    kind: 'cut',
    process: scene.chance.is(0.5) ? null : anybody(scene),
    ending: scene.chance.pick(['closed', 'reset', 'gone', 'dead']),
  }),
  (scene, left) => ({ kind: 'ban', ban: banOf(scene), forMs: Math.min(left, 6_000) }),
];

function banOf(scene: Scene): Ban {
  const { chance } = scene;
  const status = chance.pick([401, 403] as const);
  const all = ['GET', 'POST', 'PUT', 'DELETE', 'WATCH'];
  const verbs = status === 401 ? all : chance.pick([['WATCH'], ['PUT'], ['GET'], all]);
  return { process: anybody(scene), status, verbs };
}

const outsider: FaultMaker = ({ chance, locks }) => ({
  kind: 'outsider',
  lock: chance.pick(locks),
  how: chance.pick(['delete', 'overwrite', 'blank', 'label']),
});
