// A job that writes to PostgreSQL under a lock, both ways of schema.sql, and a former holder that is late.
import { LeaseClient, Lock } from '@metaparticle/sync';
import type { Held } from '@metaparticle/sync';
import { createTables, openDatabase } from './database.js';
import type { Database } from './database.js';
import { StaleTokenError, fenced, writeReport } from './guard.js';

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

const DEPOSIT = `
  INSERT INTO balance AS stored (account, amount) VALUES ($1, $2)
  ON CONFLICT (account) DO UPDATE SET amount = stored.amount + EXCLUDED.amount`;

async function work(database: Database, { fencingToken, handle }: Held): Promise<void> {
  await createTables(database, new URL('schema.sql', import.meta.url));
  // Rows that stand for themselves: a fence column.
  await writeReport(database, { id: 'today', body: 'all is well' }, fencingToken);
  // Rows that belong together: one transaction behind the fence of the lock.
  await fenced(database, handle.name, fencingToken, async (session) => {
    await session.query(DEPOSIT, ['alice', -10]);
    await session.query(DEPOSIT, ['bob', 10]);
  });
  console.log(`written with token ${fencingToken}`);
}

/** What a former holder gets that was paused before its write, and woke up after ours. */
async function writeLate(database: Database, { fencingToken }: Held): Promise<void> {
  try {
    await writeReport(database, { id: 'today', body: 'too late' }, fencingToken);
  } catch (error) {
    if (!(error instanceof StaleTokenError)) throw error;
    console.log(error.message);
  }
}

await using client = new LeaseClient();
const lock = new Lock('bookkeeping', { client });
const database = await openDatabase();
try {
  const options = { timeoutMs: 60_000, signal: stop.signal };
  const former = await lock.withLock((held) => held, options);
  await lock.withLock((held) => work(database, held), options);
  await writeLate(database, former);
} finally {
  await database.end();
}
