// The progress of ticks in PostgreSQL: one row per job, one statement per step, so that comparing and
// writing cannot come apart. Any store with a conditional write will do as well.
import type { Session } from '../postgres/guard.js';
import { StaleTokenError } from './ticks.js';
import type { Progress, TickStore } from './ticks.js';

const BEGIN = `
  INSERT INTO tick AS stored (job, fence, started, finished) VALUES ($1, $2, $3, $3)
  ON CONFLICT (job) DO UPDATE SET fence = EXCLUDED.fence WHERE stored.fence <= EXCLUDED.fence
  RETURNING started::text, finished::text`;

// The fence is exactly ours since `begin`: any other value is that of a later leader.
const START = `
  UPDATE tick SET started = $3 WHERE job = $1 AND fence = $2 AND started < $3 RETURNING job`;
const FINISH = `
  UPDATE tick SET finished = $3 WHERE job = $1 AND fence = $2 AND started = $3 RETURNING job`;

export function postgresTicks(session: Session, job: string): TickStore {
  const step = async (sql: string, fencingToken: bigint, tick: number): Promise<unknown> => {
    // An answer that was lost leaves open whether the step was done. It rejects, which ends the term: the
    // next one reads how far it is.
    const { rows } = await session.query(sql, [job, String(fencingToken), tick]);
    if (rows.length === 0) throw new StaleTokenError(fencingToken);
    return rows[0];
  };
  return {
    begin: async (fencingToken, initial): Promise<Progress> => {
      const row = (await step(BEGIN, fencingToken, initial)) as Record<keyof Progress, string>;
      return { started: Number(row.started), finished: Number(row.finished) };
    },
    start: async (fencingToken, tick) => {
      await step(START, fencingToken, tick);
    },
    finish: async (fencingToken, tick) => {
      await step(FINISH, fencingToken, tick);
    },
  };
}
