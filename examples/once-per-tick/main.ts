// Every pod runs this; one of them runs the job, once per tick. TICKS ends it after so many, for a trial.
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient } from '@metaparticle/sync';
import { createTables, openDatabase } from '../postgres/database.js';
import { postgresTicks } from './store.js';
import { runTicks } from './ticks.js';
import type { Schedule, Tick } from './ticks.js';

const { EVERY_MS = '60000', TICKS = 'Infinity' } = process.env;

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

// At least once; `interrupted: 'skip'` for at most once.
const schedule: Schedule = { everyMs: Number(EVERY_MS), interrupted: 'repeat', missed: 'run' };

let done = 0;

async function job({ tick, signal, fencingToken }: Tick): Promise<void> {
  const due = new Date(tick * schedule.everyMs).toISOString();
  await sleep(10, undefined, { signal });
  console.log(`tick of ${due} with token ${fencingToken}`);
  if (++done >= Number(TICKS)) stop.abort();
}

await using client = new LeaseClient();
const database = await openDatabase();
const store = postgresTicks(database, 'hourly-sales');
const election = new Election('hourly-sales', {
  client,
  onStartedLeading: async (leading) => {
    await createTables(database, new URL('schema.sql', import.meta.url));
    await runTicks(job, store, schedule, leading);
  },
});

try {
  // A job or a database that fails ends the process; Kubernetes starts it again, with growing pauses.
  await election.run({ signal: stop.signal });
} finally {
  await database.end();
}
