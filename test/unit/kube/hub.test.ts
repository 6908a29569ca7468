import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SyncWarning } from '../../../src/errors.js';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import type { WatchSubscription } from '../../../src/lease/store.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { ManualLeaseServer } from '../../../src/testing/index.js';
import { WatchRecorder } from '../../support/watch-recorder.js';
import { watchOf } from './support/watching.js';

let api: ManualLeaseServer;
let watch: KubeLeaseWatch;
let warnings: SyncWarning[];
let subscriptions: Map<string, WatchSubscription>;
let listeners: Map<string, WatchRecorder>;

beforeEach(async () => {
  api = await startLeaseServer({ clock: 'manual' });
  ({ watch, warnings } = watchOf(api, { refusedPauseMs: 6_400 }));
  subscriptions = new Map();
  listeners = new Map();
});

afterEach(async () => {
  watch.close();
  await api.close();
});

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `n${index + 1}`);

function subscribe(name: string, from: bigint | null = null): WatchRecorder {
  const listener = new WatchRecorder();
  listeners.set(name, listener);
  subscriptions.set(name, watch.subscribe({ namespace: 'default', name }, from, listener));
  return listener;
}

function unsubscribe(name: string): void {
  subscriptions.get(name)?.close();
  listeners.delete(name);
}

/** Lets everything happen that needs no time: after it every listener is told that it is live. */
async function allLive(): Promise<void> {
  await api.advance(0);
  expect([...listeners].filter(([, { isLive }]) => !isLive)).toEqual([]);
}

/** How many watches are open, of one name and of the namespace. */
function open(): { narrow: number; wide: number } {
  const counts = { narrow: 0, wide: 0 };
  for (const { verb, name, answered } of api.requests.log) {
    if (verb === 'watch' && answered) counts[name === undefined ? 'wide' : 'narrow']++;
  }
  return counts;
}

/** Writes every lease once: each listener is told of its own, and of no other. */
async function allHear(holder: string): Promise<void> {
  for (const name of listeners.keys()) {
    const spec = { holderIdentity: `${holder}-${name}` };
    if (api.leases.get('default', name) === undefined) {
      api.leases.create({ metadata: { name }, spec });
    } else api.leases.edit('default', name, (lease) => void Object.assign(lease.spec, spec));
  }
  await api.advance(0);
  for (const [name, listener] of listeners) {
    expect(listener.told).toContain(`${holder}-${name}`);
    const foreign = listener.told.filter((word) => word !== 'absent' && !word.endsWith(`-${name}`));
    expect(foreign).toEqual([]);
  }
}

const openNow = (): number => api.faults.closeWatches();

describe('the watches of one namespace', () => {
  it('are one per name up to eight', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await allHear('x');
    expect(open()).toEqual({ narrow: 8, wide: 0 });
  });

  it('become one for all with the ninth name, nothing missed on the way', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await allHear('x');
    for (const name of names(12).slice(8)) subscribe(name);
    await allLive();
    await allHear('y');
    expect(open()).toEqual({ narrow: 8, wide: 1 });
    expect(openNow()).toBe(1);
    await api.advance(0);
    expect(open().wide).toBe(2);
    await allHear('z');
  });

  it('tell those of before of no gap when the one for all continues where they stood', async () => {
    for (const name of names(8)) subscribe(name);
    await allLive();
    await allHear('x');
    subscribe('n9', api.version);
    await allLive();
    await allHear('y');
    expect([...listeners.values()].map(({ gaps }) => gaps)).toEqual(Array(9).fill(0));
  });

  it('tell of a gap when it cannot be known what was missed', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await allHear('x');
    for (const listener of listeners.values()) expect(listener.gaps).toBe(1);
  });

  it('are one per name again when four are left, nothing missed on the way', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await allHear('x');
    for (const name of names(9).slice(5)) unsubscribe(name);
    await allHear('y');
    expect(openNow()).toBe(1);
    await api.advance(0);
    expect(open().wide).toBe(2);
    await allLive();
    unsubscribe('n5');
    await api.advance(0);
    expect(open().narrow).toBe(8 + 4);
    await allHear('z');
    expect(openNow()).toBe(4);
  });

  it('stay one for all when names come back before each has its own', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await allHear('x');
    const delay = api.faults.delay({ requestMs: 200, match: { verb: 'watch' } });
    for (const name of names(9).slice(4)) unsubscribe(name);
    await api.advance(100);
    subscribe('n5');
    await api.advance(300);
    delay.remove();
    await allLive();
    await allHear('y');
    expect(openNow()).toBe(1);
  });

  it('are all ended with the last name', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    for (const name of names(9)) unsubscribe(name);
    await api.advance(0);
    expect(openNow()).toBe(0);
  });

  it('stay one per name where the namespace may not be watched, without a word', async () => {
    api.faults.forbid(({ verb, name }) => verb === 'watch' && name === undefined);
    for (const name of names(12)) subscribe(name);
    await allLive();
    await allHear('x');
    expect(openNow()).toBe(12);
    await allLive();
    subscribe('n13');
    await allLive();
    await allHear('y');
    expect(warnings).toEqual([]);
    expect(api.requests.count(({ verb, name }) => verb === 'watch' && name === undefined)).toBe(1);
  });

  it('fall back to one per name when the namespace may no longer be watched', async () => {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await allHear('x');
    api.faults.forbid(({ verb, name }) => verb === 'watch' && name === undefined);
    await api.advance(1_000);
    openNow();
    await api.advance(0);
    expect(open().narrow).toBe(8 + 9);
    await allLive();
    await allHear('y');
  });

  it('of another namespace are another matter', async () => {
    for (const name of names(8)) subscribe(name);
    const other = new WatchRecorder();
    watch.subscribe({ namespace: 'other', name: 'n1' }, null, other);
    await allLive();
    expect(other.isLive).toBe(true);
    expect(open()).toEqual({ narrow: 9, wide: 0 });
    api.leases.create({ metadata: { name: 'n1' }, spec: { holderIdentity: 'x-n1' } });
    await api.advance(0);
    expect(listeners.get('n1')?.has('x-n1')).toBe(true);
    expect(other.told).toEqual([]);
  });
});

describe('a name that joins the watch of the namespace', () => {
  async function manyNames(): Promise<void> {
    for (const name of names(9)) subscribe(name);
    await allLive();
    await allHear('x');
  }

  it('is told of no gap when it knows the last version', async () => {
    await manyNames();
    const { metadata } = api.leases.create({ metadata: { name: 'late' } });
    await allHear('y');
    const listener = subscribe('late', BigInt(metadata.resourceVersion));
    await allLive();
    expect(listener.gaps).toBe(0);
  });

  it('is told of a gap when it knows an older version, or none', async () => {
    await manyNames();
    const { metadata } = api.leases.create({ metadata: { name: 'late' } });
    api.leases.edit('default', 'late', (lease) => {
      Object.assign(lease.spec, { holderIdentity: 'x' });
    });
    await allHear('y');
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
    await api.advance(60_000);
    expect(listener.words).toEqual([]);
  });
});
