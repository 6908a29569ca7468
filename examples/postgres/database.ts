// The connection, with the limits that a fence needs.
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Session, SessionPool } from './guard.js';

export interface Database extends Session, SessionPool {
  /** Several statements at once, without values. */
  run(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

/** `DATABASE_URL`; without one a PostgreSQL inside this process, to try the examples alone. */
export function openDatabase(url = process.env['DATABASE_URL']): Promise<Database> {
  return url === undefined || url === '' ? openEmbedded() : Promise.resolve(openPool(url));
}

export function openPool(connectionString: string, idleLimitMs = 5_000): Database {
  const pool = new pg.Pool({
    connectionString,
    connectionTimeoutMillis: 5_000,
    // A holder that is paused within its transaction keeps the row of the fence locked. The server ends
    // such a session, or the next holder would wait for as long as the pause lasts.
    idle_in_transaction_session_timeout: idleLimitMs,
    // The next holder waits longer than that, and not for ever.
    statement_timeout: 10_000,
    // Sent to a server that is gone, a statement has no other end.
    query_timeout: 15_000,
  });
  // A session that the server ends is told twice: the statement rejects, and `error` is emitted, which
  // would end the process if nobody listened. The pool listens while it is idle, this while it is lent.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => console.error(`a database connection was lost: ${error.message}`));
  return {
    query: (sql, values) => pool.query(sql, values),
    connect: () => pool.connect(),
    run: (sql) => pool.query(sql),
    end: () => pool.end(),
  };
}

/** PostgreSQL as WebAssembly: the same SQL, one session, nothing stored. Not for production. */
export async function openEmbedded(): Promise<Database> {
  const { PGlite } = await import('@electric-sql/pglite');
  const database = await PGlite.create();
  // There is one session: each borrower waits until the one before gave it back.
  let last = Promise.resolve();
  const borrow = async (): Promise<() => void> => {
    const before = last;
    let giveBack = (): void => undefined;
    last = new Promise((resolve) => (giveBack = resolve));
    await before;
    return giveBack;
  };
  const query: Session['query'] = (sql, values) => database.query(sql, values);
  const alone = async <T>(action: () => Promise<T>): Promise<T> => {
    const release = await borrow();
    return action().finally(release);
  };
  return {
    query: (sql, values) => alone(() => query(sql, values)),
    connect: async () => ({ release: await borrow(), query }),
    run: (sql) => alone(() => database.exec(sql)),
    end: () => database.close(),
  };
}

/**
 * Creates tables that are missing. Under the lock: `CREATE TABLE IF NOT EXISTS` fails when two do it at a
 * time. A service with migrations has its tables from there.
 */
export async function createTables(database: Database, schema: URL): Promise<void> {
  await database.run(await readFile(schema, 'utf8'));
}
