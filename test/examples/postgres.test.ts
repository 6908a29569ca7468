// The guarded writes, executed: on PostgreSQL as WebAssembly everywhere, and on a real one where it is
// installed, which alone has two sessions at a time.
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createTables, openEmbedded, openPool } from '../../examples/postgres/database.js';
import type { Database } from '../../examples/postgres/database.js';
import { StaleTokenError, fenced, writeReport } from '../../examples/postgres/guard.js';
import type { Session } from '../../examples/postgres/guard.js';
import { rejection } from '../support/promises.js';
import { everyOrder } from './interleavings.js';
import type { Part } from './interleavings.js';
import { Postgres, findPostgres } from './postgres.js';
import { Stage } from './stage.js';

jest.setTimeout(60_000);

const SCHEMA = new URL('../../examples/postgres/schema.sql', import.meta.url);
const FORMER = 10n;
const HOLDER = 20n;

async function clear(database: Session): Promise<void> {
  for (const table of ['report', 'fence', 'balance']) await database.query(`DELETE FROM ${table}`);
}

async function reportOf(database: Session, id = 'r'): Promise<unknown> {
  const { rows } = await database.query(
    'SELECT body, fence::text AS fence FROM report WHERE id = $1',
    [id],
  );
  return rows[0];
}

async function amounts(database: Session): Promise<unknown> {
  const sql = 'SELECT account, amount::int AS amount FROM balance ORDER BY account';
  return (await database.query(sql)).rows;
}

const SET = `
  INSERT INTO balance (account, amount) VALUES ($1, $2)
  ON CONFLICT (account) DO UPDATE SET amount = EXCLUDED.amount`;

/** Two rows that belong together. */
async function setBoth(session: Session, amount: number): Promise<void> {
  await session.query(SET, ['alice', amount]);
  await session.query(SET, ['bob', -amount]);
}

const both = (amount: number): unknown => [
  { account: 'alice', amount },
  { account: 'bob', amount: -amount },
];

/** The mistake that the guard avoids: the tokens are compared first, and then it is written. */
async function writeChecked(session: Session, body: string, token: bigint): Promise<void> {
  const { rows } = await session.query(`SELECT fence::text FROM report WHERE id = 'r'`);
  const [row] = rows as { fence: string }[];
  if (row !== undefined && BigInt(row.fence) > token) throw new StaleTokenError(token, 'r');
  const sql = `
    INSERT INTO report (id, body, fence) VALUES ('r', $1, $2)
    ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, fence = EXCLUDED.fence`;
  await session.query(sql, [body, String(token)]);
}

function guards(database: () => Database): void {
  beforeEach(() => clear(database()));

  it('the column: lets the first, an equal and a greater token write, and no smaller one', async () => {
    const write = (body: string, token: bigint): Promise<void> =>
      writeReport(database(), { id: 'r', body }, token);
    for (const [body, token] of [
      ['first', FORMER],
      ['again', FORMER],
      ['next', HOLDER],
    ] as const) {
      await write(body, token);
      expect(await reportOf(database())).toEqual({ body, fence: String(token) });
    }
    expect(await rejection(write('late', FORMER))).toBeInstanceOf(StaleTokenError);
    expect(await reportOf(database())).toEqual({ body: 'next', fence: '20' });
  });

  it('the column: compares all digits', async () => {
    const great = 2n ** 53n;
    await writeReport(database(), { id: 'r', body: 'next' }, great + 1n);
    const late = writeReport(database(), { id: 'r', body: 'late' }, great);
    expect(await rejection(late)).toBeInstanceOf(StaleTokenError);
  });

  it('the column: says nothing about rows that the holder has not written; the table does', async () => {
    await writeReport(database(), { id: 'one', body: 'next' }, HOLDER);
    await writeReport(database(), { id: 'other', body: 'late' }, FORMER);
    expect(await reportOf(database(), 'other')).toEqual({ body: 'late', fence: '10' });
    await fenced(database(), 'l', HOLDER, () => Promise.resolve());
    const late = fenced(database(), 'l', FORMER, (session) => setBoth(session, 1));
    expect(await rejection(late)).toBeInstanceOf(StaleTokenError);
    expect(await amounts(database())).toEqual([]);
  });

  it('the table: a lock knows nothing of the tokens of another', async () => {
    await fenced(database(), 'default/a', HOLDER, () => Promise.resolve());
    const work = (session: Session): Promise<void> => setBoth(session, 1);
    await fenced(database(), 'default/b', FORMER, work);
    expect(await amounts(database())).toEqual(both(1));
  });

  it('the table: work that fails leaves nothing behind, not even its token', async () => {
    await fenced(database(), 'l', FORMER, (session) => setBoth(session, 1));
    const failing = fenced(database(), 'l', HOLDER, async (session) => {
      await session.query(SET, ['alice', 2]);
      throw new Error('half-way');
    });
    expect(await rejection(failing)).toMatchObject({ message: 'half-way' });
    await fenced(database(), 'l', FORMER, (session) => setBoth(session, 3));
    expect(await amounts(database())).toEqual(both(3));
  });
}

describe('PostgreSQL as WebAssembly', () => {
  let database: Database;

  beforeAll(async () => {
    database = await openEmbedded();
    await createTables(database, SCHEMA);
  });

  afterAll(() => database.end());

  guards(() => database);

  /** One session: each statement is its own transaction. */
  const parts = (act: (body: string, token: bigint) => Part['act']) => async () => {
    await clear(database);
    const isBlocked = (): Promise<boolean> => Promise.resolve(false);
    const shared = { session: database, isBlocked };
    return [
      { ...shared, name: 'former', act: act('late', FORMER) },
      { ...shared, name: 'holder', act: act('next', HOLDER) },
    ];
  };

  it('one session only, whole statements in every order: the former holder never has the last word', async () => {
    const prepare = parts((body, token) => async (session) => {
      await writeReport(session, { id: 'r', body }, token);
      await writeReport(session, { id: 'r', body }, token);
    });
    const outcomes = await everyOrder(prepare, () => reportOf(database));
    // Six, but that a former holder who was refused ends there.
    expect(outcomes.size).toBe(5);
    expect([...outcomes.values()]).toEqual(Array(5).fill({ body: 'next', fence: '20' }));
  });

  it('a comparison in the application is found out in that way', async () => {
    const prepare = parts((body, token) => (session) => writeChecked(session, body, token));
    const outcomes = await everyOrder(prepare, () => reportOf(database));
    expect(outcomes.get('former holder holder former')).toEqual({ body: 'late', fence: '10' });
  });
});

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

  /** Everybody as a former holder and a holder, in transactions of their own. */
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
    await using stage = await Stage.open();
    const { code, stdout } = await stage.run('postgres/main.ts', { DATABASE_URL: server?.url })
      .exited;
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^written .*\n.* was refused: .*\n$/),
    ]);
    expect(await reportOf(database, 'today')).toMatchObject({ body: 'all is well' });
  });
});
