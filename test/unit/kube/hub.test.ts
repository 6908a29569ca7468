import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyncWarning } from '../../../src/errors.js';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import type { WatchSubscription } from '../../../src/lease/store.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';
import { Recorder, watchOf } from './support/listener.js';
import { until } from '../../support/until.js';

let server: LeaseServer;
let watch: KubeLeaseWatch;
let warnings: SyncWarning[];
let subscriptions: Map<string, WatchSubscription>;
let listeners: Map<string, Recorder>;

beforeEach(async () => {
  server = await startLeaseServer();
  ({ watch, warnings } = watchOf(server.kubeConfig, 100));
  subscriptions = new Map();
  listeners = new Map();
});

afterEach(async () => {
  watch.close();
  await server.close();
});

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `n${index + 1}`);

function subscribe(name: string, from: bigint | null = null): Recorder {
  const listener = new Recorder();
  listeners.set(name, listener);
  subscriptions.set(name, watch.subscribe({ namespace: 'default', name }, from, listener));
  return listener;
}

function unsubscribe(name: string): void {
  subscriptions.get(name)?.close();
  listeners.delete(name);
}

async function allLive(): Promise<void> {
  await until('all are live', () => [...listeners.values()].every(({ isLive }) => isLive));
}

/** How many watches are open, of one name and of the namespace. */
function open(): { narrow: number; wide: number } {
  const counts = { narrow: 0, wide: 0 };
  for (const { verb, name, answered } of server.requests.log) {
    if (verb === 'watch' && answered) counts[name === undefined ? 'wide' : 'narrow']++;
  }
  return counts;
}

/** Writes every lease once and waits until each listener has been told, of its own only. */
async function everybodyHears(holder: string): Promise<void> {
  for (const name of listeners.keys()) {
    const spec = { holderIdentity: `${holder}-${name}` };
    if (server.leases.get('default', name) === undefined) {
      server.leases.create({ metadata: { name }, spec });
    } else server.leases.edit('default', name, (lease) => void Object.assign(lease.spec, spec));
  }
  for (const [name, listener] of listeners) {
    await until(`${name} hears`, () => listener.has(`${holder}-${name}`));
    const foreign = listener.told.filter((word) => word !== 'absent' && !word.endsWith(`-${name}`));
    expect(foreign).toEqual([]);
  }
}

const openNow = (): number => server.faults.closeWatches();

describe('the watches of one namespace', () => {
  it('are one per name up to eight', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    expect(open()).toEqual({ narrow: 8, wide: 0 });
  });

  it('become one for all with the ninth name, nothing missed on the way', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    for (const name of names(12).slice(8)) subscribe(name);
    await allLive();
    await everybodyHears('y');
    expect(open()).toEqual({ narrow: 8, wide: 1 });
    expect(openNow()).toBe(1);
    await until('it is back', () => open().wide === 2);
    await everybodyHears('z');
  });

  it('tell those of before of no gap when the one for all continues where they stood', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    subscribe('n9', server.version);
    await allLive();
    await everybodyHears('y');
    expect([...listeners.values()].map(({ gaps }) => gaps)).toEqual(Array(9).fill(0));
  });

  it('tell of a gap when it cannot be known what was missed', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    for (const listener of listeners.values()) expect(listener.gaps).toBe(1);
  });

  it('are one per name again when four are left, nothing missed on the way', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    for (const name of names(9).slice(5)) unsubscribe(name);
    await everybodyHears('y');
    expect(openNow()).toBe(1);
    await until('it is back', () => open().wide === 2);
    await allLive();
    unsubscribe('n5');
    await until('each has its own', () => open().narrow === 4 + 8);
    await everybodyHears('z');
    // What is closed here is closed there a moment later.
    await sleep(500);
    expect(openNow()).toBe(4);
  });

  it('stay one for all when names come back before each has its own', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    const delay = server.faults.delay({ requestMs: 200, match: { verb: 'watch' } });
    for (const name of names(9).slice(4)) unsubscribe(name);
    subscribe('n5');
    await sleep(300);
    delay.remove();
    await allLive();
    await everybodyHears('y');
    expect(openNow()).toBe(1);
  });

  it('are all ended with the last name', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    for (const name of names(9)) unsubscribe(name);
    await sleep(50);
    expect(openNow()).toBe(0);
  });

  it('stay one per name where the namespace may not be watched, without a word', async () => {
    server.faults.forbid(({ verb, name }) => verb === 'watch' && name === undefined);
    for (const name of names(12)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    expect(openNow()).toBe(12);
    await allLive();
    subscribe('n13');
    await allLive();
    await everybodyHears('y');
    expect(warnings).toEqual([]);
    expect(server.requests.count(({ verb, name }) => verb === 'watch' && name === undefined)).toBe(
      1,
    );
  });

  it('fall back to one per name when the namespace may no longer be watched', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await everybodyHears('x');
    server.faults.forbid(({ verb, name }) => verb === 'watch' && name === undefined);
    openNow();
    await until('each has its own', () => open().narrow === 8 + 9);
    await allLive();
    await everybodyHears('y');
  });

  it('of another namespace are another matter', async () => {
    for (const name of names(8)) subscribe(name);
    const other = new Recorder();
    watch.subscribe({ namespace: 'other', name: 'n1' }, null, other);
    await allLive();
    await until('the other is live', () => other.isLive);
    expect(open()).toEqual({ narrow: 9, wide: 0 });
    server.leases.create({ metadata: { name: 'n1' }, spec: { holderIdentity: 'x-n1' } });
    await until('n1 hears', () => listeners.get('n1')?.has('x-n1') === true);
    expect(other.told).toEqual([]);
  });
});

describe('a name that joins the watch of the namespace', () => {
  async function manyNames(): Promise<void> {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await everybodyHears('x');
  }

  it('is told of no gap when it knows the last version', async () => {
    await manyNames();
    const { metadata } = server.leases.create({ metadata: { name: 'late' } });
    await everybodyHears('y');
    const listener = subscribe('late', BigInt(metadata.resourceVersion));
    await allLive();
    expect(listener.gaps).toBe(0);
  });

  it('is told of a gap when it knows an older version, or none', async () => {
    await manyNames();
    const { metadata } = server.leases.create({ metadata: { name: 'late' } });
    server.leases.edit('default', 'late', (lease) => {
      Object.assign(lease.spec, { holderIdentity: 'x' });
    });
    await everybodyHears('y');
    const late = subscribe('late', BigInt(metadata.resourceVersion));
    const later = subscribe('later');
    await allLive();
    expect([late.gaps, later.gaps]).toEqual([1, 1]);
    expect([late.words[0], later.words[0]]).toEqual(['live', 'live']);
  });

  it('hears nothing before its subscription is in its hands', async () => {
    await manyNames();
    const listener = subscribe('late');
    expect(listener.words).toEqual([]);
    subscriptions.get('late')?.close();
    await sleep(20);
    expect(listener.words).toEqual([]);
  });
});
