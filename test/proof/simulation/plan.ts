import { Prng } from '../../../tools/harness/random.js';
import type { Verb } from '../../../src/testing/types.js';
import type { Ban, Trouble, WatchEnding } from './network.js';
import { mixOf } from './mixes.js';
import type { Outage, Window } from './network-faults.js';

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
  /** How much of its suspensions its clocks do not see. */
  readonly unseenMs: number;
  readonly wallAheadMs: number;
  readonly trustServerClock: boolean;
  readonly deleteOnRelease: boolean;
  /** How much longer its messages take than those of others, one way. */
  readonly distanceMs: number;
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
  /** Takes a lock again and again, until faults stop. */
  | {
      readonly kind: 'loop';
      readonly process: string;
      readonly lock: string;
      readonly holdMs: number;
      /** It gets its turn within this time. */
      readonly longestWaitMs: number;
    }
  | {
      readonly kind: 'election';
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
  | { readonly kind: 'clock step'; readonly process: string; readonly byMs: number }
  | { readonly kind: 'network'; readonly window: Window; readonly forMs: number }
  | { readonly kind: 'outage'; readonly outage: Outage; readonly forMs: number }
  | { readonly kind: 'cut'; readonly process: string | null; readonly ending: WatchEnding }
  | { readonly kind: 'ban'; readonly ban: Ban; readonly forMs: number }
  | { readonly kind: 'trouble'; readonly trouble: Trouble; readonly forMs: number }
  /** The next question of the process for credentials is not answered before faults stop. */
  | { readonly kind: 'lost credentials'; readonly process: string }
  | {
      readonly kind: 'outsider';
      readonly lock: string;
      readonly how: 'delete' | 'overwrite' | 'blank' | 'label';
    };

export type Action = Work | Fault;

export interface Item {
  readonly at: number;
  readonly act: Action;
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
  /** What the processes run in place of the library. */
  readonly rival?: RivalKind;
  /** One of the mixes, and how long it lasts, in place of what the seed would make. */
  readonly mix?: { readonly name: string; readonly lastsMs: number };
}

const TIMINGS: readonly Timings[] = [
  { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 },
  { leaseDurationMs: 5_000, renewIntervalMs: 1_500, marginMs: 500 },
  { leaseDurationMs: 6_000, renewIntervalMs: 2_000, marginMs: 1_000 },
  { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 },
];

/** In one run of so many the processes are at different distances, one way. */
const SPREAD_ONE_IN = 4;
const DISTANCES_MS = [0, 2, 10, 30];

/** The share of long runs. */
const LONG = 0.1;

export function planOf(seed: number, options: PlanOptions = {}): Plan {
  if (options.mix !== undefined) return mixOf(options.mix.name, options.mix.lastsMs, seed);
  const prng = new Prng(seed);
  const timings = prng.pick(TIMINGS);
  const { leaseDurationMs } = timings;
  const lastsMs = lengthOf(prng, timings);
  const processes = processesOf(prng, timings, options, seed);
  const crowd = prng.is(0.04) ? ['c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] : [];
  const locks = [...(prng.is(0.5) ? ['a'] : ['a', 'b']), ...crowd];
  // API servers whose clocks are a whole duration apart are promised to be borne.
  const wallsAheadMs = [0, prng.between(-1, 1) * leaseDurationMs];
  const setup = { prng, timings, processes, locks, lastsMs };
  const items = [...worksOf(setup), ...faultsOf(setup)];
  if (options.rival === undefined) items.push(...troublesOf(new Prng(seed ^ 0x7ab1e), setup));
  items.sort((a, b) => a.at - b.at);
  const asks = prng.is(0.5);
  return withUnseen({ seed, timings, processes, locks, lastsMs, asks, wallsAheadMs, items });
}

/** Many short runs find more than few long ones, but some faults need time. */
function lengthOf(prng: Prng, { leaseDurationMs }: Timings): number {
  if (prng.is(LONG)) return prng.whole(25_000, 60_000);
  return Math.round(leaseDurationMs * prng.between(1, 2.5));
}

interface Setup {
  readonly prng: Prng;
  readonly timings: Timings;
  readonly processes: readonly ProcessPlan[];
  readonly locks: readonly string[];
  readonly lastsMs: number;
}

function processesOf(
  prng: Prng,
  { leaseDurationMs, marginMs }: Timings,
  { beyond = false, rival }: PlanOptions,
  seed: number,
): ProcessPlan[] {
  // The fastest candidate against the slowest holder must not use up the margin.
  const spread = Math.sqrt(leaseDurationMs / (leaseDurationMs - marginMs));
  const widest = beyond ? spread * 1.6 : spread * 0.999;
  const isSpread = rival === undefined && seed % SPREAD_ONE_IN === 0;
  const isRated = beyond || prng.is(0.5);
  return Array.from({ length: prng.whole(3, 4) }, (_, n) => ({
    name: `p${n}`,
    kind: rival ?? 'ours',
    rate: isRated ? prng.pick([1 / widest, widest, prng.between(1 / widest, widest)]) : 1,
    unseenMs: 0,
    wallAheadMs: prng.is(0.5) ? 0 : prng.between(-60_000, 60_000),
    trustServerClock: prng.is(0.7),
    deleteOnRelease: prng.is(0.15),
    distanceMs: isSpread ? (DISTANCES_MS[n] ?? 0) : 0,
  }));
}

/** Twice the grain of an up-time in whole seconds. It uses up the margin, so the rates of these clocks agree. */
const UNSEEN_MS = 2_000;

/**
 * The same plan with coarse clocks, and with a suspension of each machine that is long enough to matter. By numbers of
 * its own: the rest of the plan is what it is without.
 */
function withUnseen(plan: Plan): Plan {
  const prng = new Prng(plan.seed ^ 0xc1c);
  const { processes, timings, lastsMs } = plan;
  const isFine = processes.some(({ kind, rate }) => kind !== 'ours' || rate !== 1);
  if (isFine || prng.is(0.5)) return plan;
  const suspensions = processes.map(({ name }): Item => {
    const at = prng.between(0, lastsMs);
    const forMs = Math.min(lastsMs - at, timings.leaseDurationMs * prng.between(0.5, 1.5));
    return { at, act: { kind: 'suspend', process: name, forMs } };
  });
  return {
    ...plan,
    processes: processes.map((one) => ({ ...one, unseenMs: UNSEEN_MS })),
    items: [...plan.items, ...suspensions].sort((a, b) => a.at - b.at),
  };
}

function worksOf(setup: Setup): Item[] {
  const { prng, processes, lastsMs } = setup;
  const everyMs = prng.pick([2_000, 4_000, 8_000]);
  return processes.flatMap(({ name }) => {
    const items: Item[] = [];
    for (let at = prng.between(0, 3_000); at < lastsMs; at += prng.next() * 2 * everyMs) {
      items.push({ at, act: workOf(setup, name) });
    }
    return items;
  });
}

function workOf({ prng, locks, timings: { leaseDurationMs } }: Setup, process: string): Work {
  const lock = prng.pick(locks);
  const dice = prng.next();
  if (dice < 0.03) return { kind: 'close', process, downMs: prng.between(0, 5_000) };
  if (dice < 0.1) {
    const cooldownMs = prng.pick([0, 1_000, leaseDurationMs]);
    return { kind: 'step-down', process, lock, cooldownMs };
  }
  if (dice < 0.3) {
    return {
      ...{ kind: 'election', process, lock },
      forMs: prng.between(1_000, 25_000),
      drainMs: prng.pick([0, 100, 1_500, 5_000]),
      failsAfterMs: prng.is(0.15) ? prng.between(0, 5_000) : null,
    };
  }
  return {
    ...{ kind: 'lock', process, lock },
    how: prng.pick(['acquire', 'acquire', 'acquire', 'try', 'with', 'with-failing']),
    holdMs: prng.pick([0, 50, 500, 3_000, 1.5 * leaseDurationMs]),
    timeoutMs: prng.is(0.4) ? prng.between(0, 2 * leaseDurationMs) : null,
    abortAfterMs: prng.is(0.3) ? prng.pick([0, 2, 5, 20, 1_000, 5_000]) : null,
  };
}

function faultsOf(setup: Setup): Item[] {
  const { prng, lastsMs } = setup;
  const everyMs = prng.pick([800, 2_500, 8_000]);
  const hasOutsiders = prng.is(0.3);
  const items: Item[] = [];
  for (let at = prng.next() * everyMs; at < lastsMs; at += prng.next() * 2 * everyMs) {
    const act = prng.pick(hasOutsiders ? [...FAULTS, outsider] : FAULTS)(setup, lastsMs - at);
    items.push({ at, act });
  }
  return items;
}

type FaultMaker = (setup: Setup, left: number) => Fault;

const anyProcess = ({ prng, processes }: Setup): string => prng.pick(processes).name;

function network(window: Pick<Window, 'leg' | 'fault'>): FaultMaker {
  return (setup) => {
    const { prng, timings } = setup;
    const process = prng.is(0.5) ? null : anyProcess(setup);
    const ms = prng.pick([300, 2_000, 1.4 * timings.leaseDurationMs]);
    const probability = prng.pick([0.1, 0.4, 1]);
    return {
      kind: 'network',
      window: { ...window, process, ms, probability },
      forMs: prng.between(100, probability === 1 ? 4_000 : 12_000),
    };
  };
}

/** What lasts ends before faults stop. */
function lasting(prng: Prng, timings: Timings, left: number): number {
  return Math.min(left, prng.pick([200, 1_500, 4_000, 1.5 * timings.leaseDurationMs]));
}

const FAULTS: readonly FaultMaker[] = [
  network({ leg: 'request', fault: 'lost' }),
  network({ leg: 'request', fault: 'delayed' }),
  network({ leg: 'request', fault: 'reset' }),
  network({ leg: 'reply', fault: 'lost' }),
  network({ leg: 'reply', fault: 'delayed' }),
  network({ leg: 'reply', fault: 'reset' }),
  network({ leg: 'watch', fault: 'lost' }),
  network({ leg: 'watch', fault: 'delayed' }),
  network({ leg: 'watch', fault: 'reset' }),
  network({ leg: 'watch', fault: 'twice' }),
  network({ leg: 'watch', fault: 'again' }),
  ({ prng, timings }, left) => ({
    kind: 'outage',
    outage: prng.pick(['frozen', 'refused', 'failing', 'busy']),
    forMs: lasting(prng, timings, left),
  }),
  (setup, left) => ({
    kind: setup.prng.is(0.7) ? 'stall' : 'suspend',
    process: anyProcess(setup),
    forMs: lasting(setup.prng, setup.timings, left),
  }),
  (setup, left) => ({
    kind: 'stall',
    process: anyProcess(setup),
    forMs: lasting(setup.prng, setup.timings, left),
  }),
  (setup, left) => ({
    kind: 'crash',
    process: anyProcess(setup),
    downMs: Math.min(left, setup.prng.pick([0, 1_000, 2 * setup.timings.leaseDurationMs])),
  }),
  (setup) => ({
    kind: 'clock step',
    process: anyProcess(setup),
    byMs: setup.prng.pick([-3_600_000, -10_000, -1_000, 1_000, 10_000, 3_600_000]),
  }),
  (setup) => ({
    kind: 'cut',
    process: setup.prng.is(0.5) ? null : anyProcess(setup),
    ending: setup.prng.pick(['closed', 'reset', 'gone', 'dead']),
  }),
  (setup, left) => ({ kind: 'ban', ban: banOf(setup), forMs: Math.min(left, 6_000) }),
];

/** Faults that meet some requests and not others. By a chance of their own: the rest of a plan does not depend on them. */
function troublesOf(prng: Prng, { processes, locks, lastsMs }: Setup): Item[] {
  if (prng.is(0.5)) return [];
  return Array.from({ length: prng.whole(1, 3) }, () => {
    const at = prng.between(0, lastsMs);
    const process = prng.pick(processes).name;
    if (prng.is(0.4)) return { at, act: { kind: 'lost credentials', process } };
    const isOfReads = prng.is(0.5);
    const trouble: Trouble = {
      process: isOfReads && prng.is(0.5) ? process : null,
      lock: isOfReads ? null : prng.pick(locks),
      verbs: isOfReads ? ['get'] : ['create', 'update', 'delete'],
      code: prng.pick([500, 429, null]),
    };
    const forMs = Math.min(lastsMs - at, prng.pick([1_500, 6_000, 20_000]));
    return { at, act: { kind: 'trouble', trouble, forMs } };
  });
}

function banOf(setup: Setup): Ban {
  const { prng } = setup;
  const status = prng.pick([401, 403] as const);
  const all: Verb[] = ['get', 'create', 'update', 'delete', 'watch'];
  const verbs = status === 401 ? all : prng.pick<Verb[]>([['watch'], ['update'], ['get'], all]);
  return { process: anyProcess(setup), status, verbs };
}

const outsider: FaultMaker = ({ prng, locks }) => ({
  kind: 'outsider',
  lock: prng.pick(locks),
  how: prng.pick(['delete', 'overwrite', 'blank', 'label']),
});
