// What the tests of the guarded writes share: the data, the mistake, and what every PostgreSQL must do.
import { beforeEach, expect, it } from '@jest/globals';
import type { Database } from '../../examples/postgres/database.js';
import { StaleTokenError, fenced, writeReport } from '../../examples/postgres/guard.js';
import type { Session } from '../../examples/postgres/guard.js';
import { rejection } from '../support/promises.js';

export const SCHEMA = new URL('../../examples/postgres/schema.sql', import.meta.url);
export const FORMER = 10n;
export const HOLDER = 20n;

export async function clear(database: Session): Promise<void> {
  for (const table of ['report', 'fence', 'balance']) await database.query(`DELETE FROM ${table}`);
}

export async function reportOf(database: Session, id = 'r'): Promise<unknown> {
  const { rows } = await database.query(
    'SELECT body, fence::text AS fence FROM report WHERE id = $1',
    [id],
  );
  return rows[0];
}

export async function amounts(database: Session): Promise<unknown> {
  const sql = 'SELECT account, amount::int AS amount FROM balance ORDER BY account';
  return (await database.query(sql)).rows;
}

const SET = `
  INSERT INTO balance (account, amount) VALUES ($1, $2)
  ON CONFLICT (account) DO UPDATE SET amount = EXCLUDED.amount`;

/** Two rows that belong together. */
export async function setBoth(session: Session, amount: number): Promise<void> {
  await session.query(SET, ['alice', amount]);
  await session.query(SET, ['bob', -amount]);
}

export const both = (amount: number): unknown => [
  { account: 'alice', amount },
  { account: 'bob', amount: -amount },
];

/** The mistake that the guard avoids: the tokens are compared first, and then it is written. */
export async function writeChecked(session: Session, body: string, token: bigint): Promise<void> {
  const { rows } = await session.query(`SELECT fence::text FROM report WHERE id = 'r'`);
  const [row] = rows as { fence: string }[];
  if (row !== undefined && BigInt(row.fence) > token) throw new StaleTokenError(token, 'r');
  const sql = `
    INSERT INTO report (id, body, fence) VALUES ('r', $1, $2)
    ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, fence = EXCLUDED.fence`;
  await session.query(sql, [body, String(token)]);
}

export function guards(database: () => Database): void {
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
