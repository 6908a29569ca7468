// The reckoning of docs/scaling.md, held against the library at rest.
import { describe, expect, it } from '@jest/globals';
import { Lock, diagnosticsChannels, type EventMessage, type LeaseClient } from '@metaparticle/sync';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { loadOf, table } from '../../../bench/load.js';
import { pages } from '../../../tools/docs/pages.js';
import { rowsOf } from '../../../tools/docs/tables.js';
import { Cluster, quick } from '../../support/cluster.js';

const CANDIDATES = 3;
const WINDOW_MS = 60_000;

describe('at rest, holders write once an interval, and candidates hear of it and ask for nothing', () => {
  it.each([
    ['each name watched by itself', 6, 6 * CANDIDATES],
    ['one watch of the namespace for each process', 12, CANDIDATES],
  ])('%s', async (_, locks, watches) => {
    await using cluster = await Cluster.start();
    const clients = Array.from({ length: CANDIDATES }, (_, n) => {
      return cluster.client({ identity: `pod-${n}` });
    });
    let heard = 0;
    const listen = (message: unknown): void => {
      const { event, identity } = message as EventMessage;
      if (event === 'news' && identity !== 'pod-0') heard++;
    };
    const names = Array.from({ length: locks }, (_, n) => `lock-${n}`);
    const make = (client: LeaseClient | undefined): Lock[] =>
      names.map((name) => new Lock(name, { client, ...quick }));
    await Promise.all(make(clients[0]).map((lock) => lock.acquire()));
    for (const lock of clients.slice(1).flatMap(make)) lock.acquire().catch(() => undefined);
    await cluster.advance(0);
    // Those that are open: each is opened again, where it left off.
    expect(cluster.api.faults.closeWatches()).toBe(watches);
    await cluster.advance(3_500);
    cluster.api.requests.reset();
    subscribe(diagnosticsChannels.event, listen);
    await cluster.advance(WINDOW_MS);
    unsubscribe(diagnosticsChannels.event, listen);
    const { counts, total } = cluster.api.requests;
    const fleet = { locks, candidates: CANDIDATES, renewIntervalMs: quick.renewIntervalMs };
    const { writesPerSecond, eventsPerSecond } = loadOf(fleet);
    const seconds = WINDOW_MS / 1_000;
    expect({ total, update: counts.update }).toEqual({
      total: writesPerSecond * seconds,
      update: writesPerSecond * seconds,
    });
    // The holder’s own event tells it nothing new.
    expect(heard).toBe((eventsPerSecond - writesPerSecond) * seconds);
  });
});

describe('docs/scaling.md', () => {
  it('has the table that is printed', () => {
    const page = 'docs/scaling.md';
    const has = rowsOf(page, pages.get(page) ?? '', 'Locks and candidates');
    expect(has).toEqual(
      rowsOf('printed', `## Locks and candidates\n\n${table()}\n`, 'Locks and candidates'),
    );
  });
});
