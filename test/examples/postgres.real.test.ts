// The guarded writes on a real PostgreSQL, where one is installed: it has two sessions at a time.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createTables, openPool } from '../../examples/postgres/database.js';
import type { Database } from '../../examples/postgres/database.js';
import { fenced, writeReport } from '../../examples/postgres/guard.js';
import type { Session } from '../../examples/postgres/guard.js';
import { rejection } from '../support/promises.js';
import {
  FORMER,
  HOLDER,
  SCHEMA,
  amounts,
  both,
  clear,
  guards,
  reportOf,
  setBoth,
  writeChecked,
} from './guards.js';
import { everyOrder } from './interleavings.js';
import type { Part } from './interleavings.js';
import { Postgres, findPostgres } from '../../tools/harness/postgres.js';
import { ExampleServer } from './example-server.js';

jest.setTimeout(60_000);

const programs = findPostgres();
if (programs === undefined) {
  const why = 'neither on the PATH nor in /usr/lib/postgresql is an initdb and a postgres';
  process.stderr.write(`examples on a real PostgreSQL: skipped, ${why}\n`);
}
const describeReal = programs === undefined ? describe.skip : describe;

describeReal('real PostgreSQL, two sessions', () => {
  let server: Postgres | undefined;
  let database: Database;
  let pids: readonly number[];
  let sessions: readonly (Session & { release(): void })[];

  beforeAll(async () => {
    server = await Postgres.start(programs ?? '');
    database = openPool(server.url);
    await createTables(database, SCHEMA);
    sessions = await Promise.all([database.connect(), database.connect()]);
    pids = await Promise.all(
      sessions.map(async (session) => {
        const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
        return (rows as { pid: number }[])[0]!.pid;
      }),
    );
  });

  afterAll(async () => {
    for (const session of sessions) session.release();
    await database.end();
    await server?.stop();
  });

  guards(() => database);

  /** A former holder and a holder, each in transactions of its own. */
  const parts =
    (act: (token: bigint) => Part['act'], before: bigint | null = null) =>
    async (): Promise<Part[]> => {
      await clear(database);
      if (before !== null) {
        await writeReport(database, { id: 'r', body: 'before' }, before);
        await fenced(database, 'l', before, (session) => setBoth(session, 1));
      }
      return [FORMER, HOLDER].map((token, index) => ({
        name: token === FORMER ? 'former' : 'holder',
        session: sessions[index]!,
        act: act(token),
        isBlocked: async () => {
          const sql = 'SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked';
          const { rows } = await database.query(sql, [pids[index]]);
          return (rows as { blocked: boolean }[])[0]!.blocked;
        },
      }));
    };

  const inTransaction =
    (write: (session: Session, token: bigint) => Promise<void>) =>
    (token: bigint): Part['act'] =>
    async (session) => {
      await session.query('BEGIN ISOLATION LEVEL READ COMMITTED');
      try {
        await write(session, token);
        await session.query('COMMIT');
      } catch {
        await session.query('ROLLBACK');
      }
    };

  const bodyOf = (token: bigint): string => (token === FORMER ? 'late' : 'next');
  const guarded = (session: Session, token: bigint): Promise<void> =>
    writeReport(session, { id: 'r', body: bodyOf(token) }, token);
  const next = { body: 'next', fence: '20' };

  for (const before of [null, 5n]) {
    const row = before === null ? 'the first write of a row' : 'a row that is there';

    it(`the column, ${row}: the former holder never has the last word, in any order`, async () => {
      const prepare = parts(inTransaction(guarded), before);
      const outcomes = await everyOrder(prepare, () => reportOf(database));
      expect(outcomes.size).toBeGreaterThan(10);
      expect([...outcomes.values()]).toEqual(Array(outcomes.size).fill(next));
    });

    it(`the column, ${row}: a comparison in the application is found out`, async () => {
      const checked = inTransaction((session, token) =>
        writeChecked(session, bodyOf(token), token),
      );
      const outcomes = await everyOrder(parts(checked, before), () => reportOf(database));
      const last = [...outcomes.values()].map((one) => (one as { body: string }).body);
      expect(new Set(last)).toEqual(new Set(['next', 'late']));
    });

    it(`the table, ${row}: nothing of the former holder stays, in any order`, async () => {
      const act = (token: bigint) => (session: Session) => {
        const pool = {
          connect: () => Promise.resolve({ ...session, release: () => undefined }),
        };
        return fenced(pool, 'l', token, (own) => setBoth(own, Number(token)));
      };
      const outcomes = await everyOrder(parts(act, before), () => amounts(database));
      expect(outcomes.size).toBeGreaterThan(10);
      expect([...outcomes.values()]).toEqual(Array(outcomes.size).fill(both(20)));
    });
  }

  it('the table without a fence is found out', async () => {
    const act = inTransaction((session, token) => setBoth(session, Number(token)));
    const outcomes = await everyOrder(parts(act), () => amounts(database));
    expect(JSON.stringify([...outcomes.values()])).toContain(JSON.stringify(both(10)));
  });

  it('the column at a stricter level: as safe, when who gets error 40001 repeats', async () => {
    let repeats = 0;
    const act = (token: bigint): Part['act'] => {
      const once = async (session: Session): Promise<void> => {
        await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        try {
          await guarded(session, token);
          await session.query('COMMIT');
        } catch (error) {
          await session.query('ROLLBACK');
          if ((error as { code?: string }).code !== '40001') throw error;
          repeats += 1;
          await once(session);
        }
      };
      return once;
    };
    const outcomes = await everyOrder(parts(act, 5n), () => reportOf(database));
    expect(repeats).toBeGreaterThan(0);
    expect([...outcomes.values()]).toEqual(Array(outcomes.size).fill(next));
  });

  it('a holder that is paused within its transaction does not hold up the next one', async () => {
    const paused = openPool(server?.url ?? '', 200);
    let wake = (): void => undefined;
    const pause = new Promise<void>((resolve) => (wake = resolve));
    let isIn = (): void => undefined;
    const within = new Promise<void>((resolve) => (isIn = resolve));
    const former = rejection(
      fenced(paused, 'l', FORMER, async (session) => {
        isIn();
        await pause;
        await setBoth(session, 1);
      }),
    );
    await within;
    await fenced(database, 'l', HOLDER, (session) => setBoth(session, 2));
    wake();
    expect(await former).toBeInstanceOf(Error);
    expect(await amounts(database)).toEqual(both(2));
    // The pool threw the session away that the server had ended: the next is a good one.
    expect((await paused.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await paused.end();
  });

  it('is what DATABASE_URL names for the program', async () => {
    await using examples = await ExampleServer.open();
    const { code, stdout } = await examples.run('postgres/main.ts', { DATABASE_URL: server?.url })
      .exited;
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^written .*\n.* was refused: .*\n$/),
    ]);
    expect(await reportOf(database, 'today')).toMatchObject({ body: 'all is well' });
  });
});
