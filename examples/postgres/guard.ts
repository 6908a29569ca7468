// Writes to PostgreSQL that a former lock holder cannot do anymore. The comparison of the tokens is part
// of the statement that writes: whatever is compared before, in the application, may be old by then.

/** Runs statements: a Pool or a Client of `pg`, or anything that queries alike. */
export interface Session {
  query(sql: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Lends sessions, for transactions: a Pool of `pg`. */
export interface SessionPool {
  connect(): Promise<Session & { release(destroy?: boolean): void }>;
}

/** The lock belongs to somebody else by now: end the work, a repetition cannot succeed. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';

  constructor(fencingToken: bigint, what: string) {
    super(`token ${fencingToken} was refused: a greater one has written to ${what}`);
  }
}

// Two first writes of a row at a time: the unique key lets one insert; the other waits for its commit and
// then updates, comparing with what was committed. At READ COMMITTED, the default, WHERE is asked again of
// the newest row after a wait. At stricter levels the waiter gets error 40001 instead: as safe.
// Equal tokens are writes of one term: their order is up to that holder.
const WRITE_REPORT = `
  INSERT INTO report AS stored (id, body, fence) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, fence = EXCLUDED.fence
  WHERE stored.fence <= EXCLUDED.fence
  RETURNING id`;

/** Way 1, the fence column: inserts or updates one row, unless a greater token has written it. */
export async function writeReport(
  session: Session,
  report: { readonly id: string; readonly body: string },
  fencingToken: bigint,
): Promise<void> {
  // As text: a bigint keeps all its digits that way, with every client.
  const values = [report.id, report.body, String(fencingToken)];
  const { rows } = await session.query(WRITE_REPORT, values);
  if (rows.length === 0) throw new StaleTokenError(fencingToken, `report ${report.id}`);
}

const RAISE_FENCE = `
  INSERT INTO fence AS stored (lock, token) VALUES ($1, $2)
  ON CONFLICT (lock) DO UPDATE SET token = EXCLUDED.token
  WHERE stored.token <= EXCLUDED.token
  RETURNING token`;

/**
 * Way 2, the fence table: does all of `work` in one transaction, unless a greater token has written under
 * this lock. `lock` is the full name, `handle.name`: tokens of different locks have nothing in common.
 */
export async function fenced<T>(
  pool: SessionPool,
  lock: string,
  fencingToken: bigint,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await pool.connect();
  try {
    await session.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    // First of all, and it locks the row: until the commit nobody passes with another token, so that a
    // former holder is done before the new one begins, or is refused.
    const { rows } = await session.query(RAISE_FENCE, [lock, String(fencingToken)]);
    if (rows.length === 0) throw new StaleTokenError(fencingToken, `lock ${lock}`);
    const value = await work(session);
    await session.query('COMMIT');
    session.release();
    return value;
  } catch (error) {
    // A session that cannot even roll back must not be lent again with half a transaction in it.
    await session.query('ROLLBACK').then(
      () => session.release(),
      () => session.release(true),
    );
    throw error;
  }
}
