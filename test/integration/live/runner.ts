// Has troupes go through faults, one after the other, and judges each.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../workers/time.js';
import { assess, settle } from './referee.js';
import type { Outcome } from './referee.js';
import type { Justified } from './scenario.js';
import type { Troupe } from './troupe.js';
import type { World } from './world.js';

/** A fault with the troupe that it is for. */
export interface Act {
  readonly name: string;
  readonly inject: (troupe: Troupe) => Promise<Justified>;
}

/** Resolves when the fault is over and every lease is held again. A failure of its own is a violation, too. */
export async function perform(world: World, troupe: Troupe, act: Act): Promise<Outcome> {
  const { chronicle } = world;
  const fault = act.name;
  const before = await settle(troupe, chronicle);
  await sleep(troupe.between(0, troupe.options.timings.renewIntervalMs));
  const from = now();
  const failures: string[] = [];
  const justified = await act.inject(troupe).catch((error: unknown): Justified => {
    failures.push(`the fault failed: ${String(error)}`);
    return { everything: true, hindersTakeover: true };
  });
  // What is late comes late: a loss may be told after the fault is over.
  await sleep(2 * troupe.options.timings.renewIntervalMs);
  const after = await settle(troupe, chronicle);
  const outcome = assess(troupe, chronicle, world.writes(), { fault, from, justified });
  chronicle.forget(now());
  const crashes = troupe.crashes.splice(0);
  const violations = [...before, ...outcome.violations, ...after, ...crashes, ...failures];
  return { ...outcome, violations };
}

/** Goes through acts until there are none, or time is up. */
export async function play(
  world: World,
  troupe: Troupe,
  next: () => Act | undefined,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  for (let act = next(); act !== undefined; act = next()) {
    tell(await perform(world, troupe, act));
  }
}
