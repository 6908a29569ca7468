// The guarded writes, executed on PostgreSQL as WebAssembly: on every machine, with one session.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createTables, openEmbedded } from '../../examples/postgres/database.js';
import type { Database } from '../../examples/postgres/database.js';
import { writeReport } from '../../examples/postgres/guard.js';
import { FORMER, HOLDER, SCHEMA, clear, guards, reportOf, writeChecked } from './guards.js';
import { everyOrder } from './interleavings.js';
import type { Part } from './interleavings.js';

jest.setTimeout(60_000);

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
