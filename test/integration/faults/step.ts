// Runs steps on a group: injects one fault after the other, and checks each. A failure counts, and the next fault
// is injected all the same.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../../tools/harness/processes/time.js';
import { checkStep, settle } from './fault-checker.js';
import type { Outcome } from './fault-checker.js';
import type { Justified } from './fault.js';
import type { NodeGroup } from './nodes.js';
import type { FaultEnvironment } from './environment.js';

/** A fault, ready to be injected. */
export interface Step {
  readonly name: string;
  readonly inject: (group: NodeGroup) => Promise<Justified>;
  /** Ends what it may have left behind when it failed. */
  readonly heal?: () => Promise<void>;
}

/** Longer than any fault takes. */
const STEP_LIMIT_MS = 240_000;
const HEAL_LIMIT_MS = 90_000;

async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  const end = new AbortController();
  const late = sleep(limitMs, undefined, { signal: end.signal }).then(() => {
    throw new Error(`${what} took longer than ${limitMs} ms`);
  });
  late.catch(() => undefined);
  return Promise.race([work, late]).finally(() => end.abort());
}

/** Resolves when the fault is over and every lease is held again. A failure of its own is a violation, too. */
export async function runStep(
  environment: FaultEnvironment,
  group: NodeGroup,
  step: Step,
): Promise<Outcome> {
  const { history } = environment;
  const fault = step.name;
  const failures: string[] = [];
  const before = await settle(group, history);
  await sleep(group.between(0, group.options.timings.renewIntervalMs));
  const from = now();
  const fail = (error: unknown): Justified => {
    failures.push(`the fault failed: ${String(error)}`);
    return { everything: true, hindersTakeover: true };
  };
  const justified = await within(STEP_LIMIT_MS, fault, step.inject(group)).catch(fail);
  const until = now();
  if (failures.length > 0) await within(HEAL_LIMIT_MS, 'healing', heal(group, step)).catch(fail);
  // What is late comes late: a loss may be told after the fault is over.
  await sleep(2 * group.options.timings.renewIntervalMs);
  const after = await settle(group, history);
  const stalls = await group.context.witness.stalls(group.checkedUntil, now());
  const incident = { fault, from, until, justified, stalls };
  const outcome = checkStep(group, history, environment.writes(), incident);
  history.forget(now());
  count(group, outcome);
  const crashes = group.takeCrashes();
  if (after.length + crashes.length > 0) {
    await within(HEAL_LIMIT_MS, 'healing', heal(group, step)).catch(fail);
  }
  const violations = [...before, ...outcome.violations, ...after, ...crashes, ...failures];
  return { ...outcome, violations };
}

/** Losses and takeovers are judged by the clock, unless the machine stalled. */
function count({ context: { witness } }: NodeGroup, { fault, voided }: Outcome): void {
  if (voided.length === 0) witness.hold();
  for (const what of voided) witness.annul(`${fault}: ${what}`);
}

async function heal(group: NodeGroup, step: Step): Promise<void> {
  await step.heal?.();
  await group.heal();
}

/** Runs steps until the schedule has no more. */
export async function runSteps(
  environment: FaultEnvironment,
  group: NodeGroup,
  next: () => Step | undefined,
  report: (outcome: Outcome) => void,
): Promise<void> {
  // To start everything was work enough to lose a term by.
  group.checkedUntil = now();
  for (let step = next(); step !== undefined; step = next()) {
    report(await runStep(environment, group, step));
  }
}
