// The reckoning of docs/scaling.md, held against the library at rest.
import { expect, it } from '@jest/globals';
import { LeaseClient, Lock, diagnosticsChannels, type EventMessage } from '@metaparticle/sync';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadOf, table } from '../../../bench/load.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import { until } from '../../support/promises.js';
import { pages } from '../../../tools/docs/pages.js';
import { rowsOf } from '../../../tools/docs/tables.js';

const QUICK = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
const CANDIDATES = 3;
const WINDOW_MS = 5_000;

it.concurrent.each([
  ['each name watched by itself', 6, 6 * CANDIDATES],
  ['one watch of the namespace for each process', 12, CANDIDATES],
])(
  'holders write once an interval, candidates hear of it and ask for nothing: %s',
  async (_, locks, watches) => {
    const api = await startLeaseServer();
    const clients = Array.from({ length: CANDIDATES }, (_, n) => {
      return new LeaseClient({ kubeConfig: api.kubeConfig, identity: `${locks}-${n}` });
    });
    const followers = clients.slice(1).map(({ identity }) => identity);
    let heard = 0;
    const listen = (message: unknown): void => {
      const { event, identity } = message as EventMessage;
      if (event === 'news' && followers.includes(identity)) heard++;
    };
    try {
      const names = Array.from({ length: locks }, (_, n) => `lock-${n}`);
      const make = (client: LeaseClient | undefined) =>
        names.map((name) => new Lock(name, { client, ...QUICK }));
      await Promise.all(make(clients[0]).map((lock) => lock.acquire()));
      for (const lock of clients.slice(1).flatMap(make)) lock.acquire().catch(() => undefined);
      await until('the watches', () => api.requests.counts.watch >= watches, 5_000);
      await sleep(1_500);
      api.requests.reset();
      subscribe(diagnosticsChannels.event, listen);
      await sleep(WINDOW_MS);
      unsubscribe(diagnosticsChannels.event, listen);
      const { counts, total } = api.requests;
      const fleet = { locks, candidates: CANDIDATES, renewIntervalMs: QUICK.renewIntervalMs };
      const { writesPerSecond, eventsPerSecond } = loadOf(fleet);
      const seconds = WINDOW_MS / 1_000;
      // A round of renewals more or less at the edges.
      expect(Math.abs(counts.update - writesPerSecond * seconds)).toBeLessThanOrEqual(locks);
      expect(total).toBe(counts.update);
      // The holder's own event tells it nothing new.
      const own = writesPerSecond * seconds;
      expect(Math.abs(heard - (eventsPerSecond * seconds - own))).toBeLessThanOrEqual(2 * locks);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      await api.close();
    }
  },
);

it('the page has the table that is printed', () => {
  const page = 'docs/scaling.md';
  const has = rowsOf(page, pages.get(page) ?? '', 'Locks and candidates');
  expect(has).toEqual(
    rowsOf('printed', `## Locks and candidates\n\n${table()}\n`, 'Locks and candidates'),
  );
});
