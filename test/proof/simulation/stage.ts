import type { Violate } from './ledger.js';
import type { Network } from './network.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { Plan } from './plan.js';
import type { Schedule } from './schedule.js';
import type { Witness } from './witness.js';

/** What the programs of a world share. */
export interface Stage {
  readonly plan: Plan;
  readonly schedule: Schedule;
  readonly chance: Prng;
  readonly network: Network;
  readonly witness: Witness;
  tell(line: string): void;
  violate: Violate;
  count(what: string): void;
}

/** A write to what the lock protects is on its way for so long, mostly. */
export function guardedWrite(stage: Stage, process: string, lock: string, token: bigint): void {
  const { schedule, chance, witness } = stage;
  const ms = chance.is(0.9) ? chance.between(1, 20) : chance.between(20, 10_000);
  schedule.in(ms, () => void witness.write(process, lock, token));
}
