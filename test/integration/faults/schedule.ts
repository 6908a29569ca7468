// Which faults are injected into which group of nodes, and in which order. Local faults run side by side on a control
// plane that stays up; faults of servers run one after the other, on API servers and an etcd of their own.
import { seededRandom } from '../../../tools/harness/random.js';
import { findClientGo } from '../../../tools/harness/client-go/find.js';
import { accessFaults } from './access-faults.js';
import { namespaceFaults } from './namespace-faults.js';
import { outsiderFaults } from './outsider-faults.js';
import { networkFaults } from './network-faults.js';
import { processFaults } from './process-faults.js';
import type { Outcome } from './fault-checker.js';
import { clientGoFaults } from './client-go-faults.js';
import { runSteps } from './step.js';
import type { Step } from './step.js';
import type { Fault, ServerFault } from './fault.js';
import { healServers, serverFaults } from './server-faults.js';
import { shuffled } from './nodes.js';
import type { Timings } from './nodes.js';
import type { FaultEnvironment } from './environment.js';

export const SHORT = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
export const DEFAULTS = { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 };

/** Faults to be injected, by what they are injected into. */
export interface FaultSet {
  readonly local: readonly Fault[];
  /** Into a group with default options, where what a term has to endure lasts ten seconds. */
  readonly patient: readonly Fault[];
  readonly servers: readonly ServerFault[];
}

const PATIENT = [
  'SIGSTOP of a holder, 0.5 × lease',
  'Half-open, shorter than belief',
  'Requests unanswered, shorter than belief',
  'Requests dropped before, shorter than belief',
];

/** @param isWanted by name and by whether it is of the quick choice */
export async function faultSetOf(
  isWanted: (fault: { readonly name: string; readonly quick?: boolean }) => boolean,
): Promise<FaultSet> {
  const clientGo = await findClientGo();
  const besideClientGo = clientGo.kind === 'built' ? clientGoFaults(clientGo) : [];
  const ofOurs = [...processFaults, ...networkFaults, ...accessFaults, ...outsiderFaults];
  const patient = ofOurs
    .filter(({ name }) => PATIENT.includes(name))
    .map((fault) => ({ ...fault, name: `${fault.name}, default options`, quick: false }));
  return {
    local: [...ofOurs, ...namespaceFaults, ...besideClientGo].filter(isWanted),
    patient: patient.filter(isWanted),
    servers: serverFaults.filter(isWanted),
  };
}

/** Names the next fault until there is none. */
export type Supply = <A>(steps: readonly A[], dice: () => number) => () => A | undefined;

export const eachOnce: Supply = (steps) => {
  const left = [...steps];
  return () => left.shift();
};

/** All of them in an order of its own, again and again: none much more often than another. */
export function asLongAs(isTime: () => boolean): Supply {
  return (steps, dice) => {
    let left: (typeof steps)[number][] = [];
    return () => {
      if (!isTime()) return undefined;
      if (left.length === 0) left = shuffled(steps, dice);
      return left.shift();
    };
  };
}

/** A group for faults of servers. */
export interface ServerPlan {
  readonly timings: Timings;
  readonly faults: readonly ServerFault[];
}

export interface Schedule {
  readonly seed: number;
  readonly faultSet: Omit<FaultSet, 'servers'>;
  /** One after the other. */
  readonly serverPlans: readonly ServerPlan[];
  readonly supply: Supply;
  /** How many there are for local faults. */
  readonly groups: number;
  readonly report: (outcome: Outcome) => void;
}

/** Resolves when all faults were injected and checked. The first comes when all processes are there: to start is work. */
export async function runSchedule(
  environment: FaultEnvironment,
  schedule: Schedule,
): Promise<void> {
  const local = await prepareLocal(environment, schedule);
  const servers = await prepareServers(environment, schedule);
  await Promise.all([...local, servers].map((begin) => begin()));
}

type Run = () => Promise<void>;

async function prepareLocal(environment: FaultEnvironment, schedule: Schedule): Promise<Run[]> {
  const { seed, faultSet, supply, groups, report } = schedule;
  const { local, patient } = faultSet;
  if (local.length + patient.length === 0) return [];
  const start = await environment.stable();
  const runs: Run[] = [];
  const prepare = async (
    name: string,
    dice: () => number,
    timings: Timings,
    next: () => Step | undefined,
  ): Promise<void> => {
    const group = await start({ name, size: 3, timings, random: dice });
    runs.push(() => runSteps(environment, group, next, report));
  };
  const next = supply<Step>(local, seededRandom(seed));
  for (let n = 1; n <= (local.length === 0 ? 0 : groups); n++) {
    await prepare(`t${n}`, seededRandom(seed + n), SHORT, next);
  }
  const dice = seededRandom(seed + 50);
  if (patient.length > 0) await prepare('p', dice, DEFAULTS, supply<Step>(patient, dice));
  return runs;
}

async function prepareServers(
  environment: FaultEnvironment,
  { seed, serverPlans, supply, report }: Schedule,
): Promise<Run> {
  const [first, ...others] = serverPlans.filter(({ faults }) => faults.length > 0);
  if (first === undefined) return () => Promise.resolve();
  const { start, servers } = await environment.stoppable();
  const heal = (): Promise<void> => healServers(servers);
  const prepare = async (n: number, { timings, faults }: ServerPlan): Promise<Run> => {
    const dice = seededRandom(seed + 100 + n);
    const group = await start({ name: `s${n}`, size: 4, timings, random: dice });
    const steps = faults.map(({ name, inject }): Step => {
      return { name, inject: (of) => inject(of, servers), heal };
    });
    return async () => {
      await runSteps(environment, group, supply(steps, dice), report);
      await group.close();
    };
  };
  const begin = await prepare(0, first);
  return async () => {
    await begin();
    for (const [n, plan] of others.entries()) await (await prepare(n + 1, plan))();
  };
}
