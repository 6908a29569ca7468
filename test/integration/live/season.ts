// All the faults there are, and troupes to go through them: some on a control plane that nobody stops, side by
// side, and others, one after the other, on API servers and an etcd that are stopped and ended.
import { random } from '../../unit/protocol/world.js';
import { findRival } from '../../../tools/harness/client-go/find.js';
import { accessFaults } from './access.js';
import { namespaceFaults } from './namespaces.js';
import { outsiderFaults } from './outsiders.js';
import { pathFaults } from './paths.js';
import { processFaults } from './processes.js';
import type { Outcome } from './referee.js';
import { rivalFaults } from './rivals.js';
import { play } from './runner.js';
import type { Act } from './runner.js';
import type { Scenario, ServerScenario } from './scenario.js';
import { healServers, serverFaults } from './servers.js';
import { shuffled } from './troupe.js';
import type { Timings } from './troupe.js';
import type { World } from './world.js';

export const SHORT = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
export const DEFAULTS = { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 };

/** Faults to be injected, by what they are injected into. */
export interface Repertoire {
  readonly local: readonly Scenario[];
  /** Into a troupe with default options, where what a term has to endure lasts ten seconds. */
  readonly patient: readonly Scenario[];
  readonly servers: readonly ServerScenario[];
}

const PATIENT = [
  'SIGSTOP of a holder, 0.5 × lease',
  'Half-open, shorter than belief',
  'Requests unanswered, shorter than belief',
  'Requests dropped before, shorter than belief',
];

/** @param isWanted by name and by whether it is of the quick choice */
export async function repertoire(
  isWanted: (fault: { readonly name: string; readonly quick?: boolean }) => boolean,
): Promise<Repertoire> {
  const rival = await findRival();
  const rivals = rival.kind === 'built' ? rivalFaults(rival) : [];
  const ofOurs = [...processFaults, ...pathFaults, ...accessFaults, ...outsiderFaults];
  const patient = ofOurs
    .filter(({ name }) => PATIENT.includes(name))
    .map((fault) => ({ ...fault, name: `${fault.name}, default options`, quick: false }));
  return {
    local: [...ofOurs, ...namespaceFaults, ...rivals].filter(isWanted),
    patient: patient.filter(isWanted),
    servers: serverFaults.filter(isWanted),
  };
}

/** Names the next fault until there is none. */
export type Supply = <A>(acts: readonly A[], dice: () => number) => () => A | undefined;

export const eachOnce: Supply = (acts) => {
  const left = [...acts];
  return () => left.shift();
};

/** All of them in an order of its own, again and again: none much more often than another. */
export function asLongAs(isTime: () => boolean): Supply {
  return (acts, dice) => {
    let left: (typeof acts)[number][] = [];
    return () => {
      if (!isTime()) return undefined;
      if (left.length === 0) left = shuffled(acts, dice);
      return left.shift();
    };
  };
}

/** A troupe for faults of servers. */
export interface Storm {
  readonly timings: Timings;
  readonly faults: readonly ServerScenario[];
}

export interface Season {
  readonly seed: number;
  readonly repertoire: Omit<Repertoire, 'servers'>;
  /** One after the other. */
  readonly storms: readonly Storm[];
  readonly supply: Supply;
  /** How many there are for local faults. */
  readonly troupes: number;
  readonly tell: (outcome: Outcome) => void;
}

/** Resolves when all faults were injected and judged. None comes before all processes are there: to start is work. */
export async function playSeason(world: World, season: Season): Promise<void> {
  const local = await prepareLocal(world, season);
  const storms = await prepareStorms(world, season);
  await Promise.all([...local, storms].map((begin) => begin()));
}

type Play = () => Promise<void>;

async function prepareLocal(world: World, season: Season): Promise<Play[]> {
  const { seed, repertoire, supply, troupes, tell } = season;
  const { local, patient } = repertoire;
  if (local.length + patient.length === 0) return [];
  const start = await world.calm();
  const plays: Play[] = [];
  const prepare = async (
    name: string,
    dice: () => number,
    timings: Timings,
    next: () => Act | undefined,
  ): Promise<void> => {
    const troupe = await start({ name, size: 3, timings, random: dice });
    plays.push(() => play(world, troupe, next, tell));
  };
  const next = supply<Act>(local, random(seed));
  for (let n = 1; n <= (local.length === 0 ? 0 : troupes); n++) {
    await prepare(`t${n}`, random(seed + n), SHORT, next);
  }
  const dice = random(seed + 50);
  if (patient.length > 0) await prepare('p', dice, DEFAULTS, supply<Act>(patient, dice));
  return plays;
}

async function prepareStorms(world: World, { seed, storms, supply, tell }: Season): Promise<Play> {
  const [first, ...others] = storms.filter(({ faults }) => faults.length > 0);
  if (first === undefined) return () => Promise.resolve();
  const { start, servers } = await world.stormy();
  const heal = (): Promise<void> => healServers(servers);
  const prepare = async (n: number, { timings, faults }: Storm): Promise<Play> => {
    const dice = random(seed + 100 + n);
    const troupe = await start({ name: `s${n}`, size: 4, timings, random: dice });
    const acts = faults.map(({ name, inject }): Act => {
      return { name, inject: (of) => inject(of, servers), heal };
    });
    return async () => {
      await play(world, troupe, supply(acts, dice), tell);
      await troupe.close();
    };
  };
  const begin = await prepare(0, first);
  return async () => {
    await begin();
    for (const [n, storm] of others.entries()) await (await prepare(n + 1, storm))();
  };
}
