// Has troupes go through faults, one after the other, and judges each. Whatever goes wrong counts, and the next
// fault comes all the same.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../../tools/harness/processes/time.js';
import { assess, settle } from './referee.js';
import type { Outcome } from './referee.js';
import type { Justified } from './scenario.js';
import type { Troupe } from './troupe.js';
import type { World } from './world.js';

/** A fault, ready to be injected. */
export interface Act {
  readonly name: string;
  readonly inject: (troupe: Troupe) => Promise<Justified>;
  /** Ends what it may have left behind when it failed. */
  readonly heal?: () => Promise<void>;
}

/** Longer than any fault takes. */
const ACT_LIMIT_MS = 240_000;
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
export async function perform(world: World, troupe: Troupe, act: Act): Promise<Outcome> {
  const { chronicle } = world;
  const fault = act.name;
  const failures: string[] = [];
  const before = await settle(troupe, chronicle);
  await sleep(troupe.between(0, troupe.options.timings.renewIntervalMs));
  const from = now();
  const fail = (error: unknown): Justified => {
    failures.push(`the fault failed: ${String(error)}`);
    return { everything: true, hindersTakeover: true };
  };
  const justified = await within(ACT_LIMIT_MS, fault, act.inject(troupe)).catch(fail);
  const until = now();
  if (failures.length > 0) await within(HEAL_LIMIT_MS, 'healing', heal(troupe, act)).catch(fail);
  // What is late comes late: a loss may be told after the fault is over.
  await sleep(2 * troupe.options.timings.renewIntervalMs);
  const after = await settle(troupe, chronicle);
  const incident = { fault, from, until, justified };
  const outcome = assess(troupe, chronicle, world.writes(), incident);
  chronicle.forget(now());
  const crashes = troupe.takeCrashes();
  if (after.length + crashes.length > 0) {
    await within(HEAL_LIMIT_MS, 'healing', heal(troupe, act)).catch(fail);
  }
  const violations = [...before, ...outcome.violations, ...after, ...crashes, ...failures];
  return { ...outcome, violations };
}

async function heal(troupe: Troupe, act: Act): Promise<void> {
  await act.heal?.();
  await troupe.heal();
}

/** Goes through acts until there are none, or time is up. */
export async function play(
  world: World,
  troupe: Troupe,
  next: () => Act | undefined,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  // To start everything was work enough to lose a term by.
  troupe.judgedUntil = now();
  for (let act = next(); act !== undefined; act = next()) {
    tell(await perform(world, troupe, act));
  }
}
