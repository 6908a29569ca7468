import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyncWarning } from '../../../src/errors.js';
import type { WatchSubscription } from '../../../src/lease/store.js';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';
import { Recorder, watchOf } from './support/listener.js';
import { FreezingProxy } from './support/proxy.js';
import { now } from './support/sending.js';
import { kubeConfigOf } from './support/server.js';
import { until } from '../../support/until.js';

const REFUSED_PAUSE_MS = 150;
const key = { namespace: 'default', name: 'a' };

let server: LeaseServer;
let proxy: FreezingProxy;
let watch: KubeLeaseWatch;
let warnings: SyncWarning[];
let listener: Recorder;

beforeEach(async () => {
  server = await startLeaseServer();
  proxy = await FreezingProxy.start(server.port);
  const config = kubeConfigOf(proxy.url, (options) =>
    server.kubeConfig.applyToHTTPSOptions(options),
  );
  ({ watch, warnings } = watchOf(config, REFUSED_PAUSE_MS));
  listener = new Recorder();
});

afterEach(async () => {
  watch.close();
  await proxy.close();
  await server.close();
});

function create(holder: string): bigint {
  const { metadata } = server.leases.create({
    ...{ metadata: { name: 'a' }, spec: { holderIdentity: holder } },
  });
  return BigInt(metadata.resourceVersion);
}

function hold(holder: string): bigint {
  const { metadata } = server.leases.edit('default', 'a', (lease) => {
    Object.assign(lease.spec, { holderIdentity: holder });
  });
  return BigInt(metadata.resourceVersion);
}

async function subscribe(from: bigint | null = null): Promise<WatchSubscription> {
  const subscription = watch.subscribe(key, from, listener);
  await until('the watch is live', () => listener.isLive);
  return subscription;
}

const watches = (): number => server.requests.counts.watch;

describe('a watch of one lease', () => {
  it('tells the state of now and every change from there', async () => {
    const first = create('pod-1');
    await subscribe();
    const second = hold('pod-2');
    await until('the change', () => listener.has('pod-2'));
    server.leases.delete('default', 'a');
    await until('the deletion', () => listener.has('absent'));
    const fourth = create('pod-3');
    await until('the new one', () => listener.has('pod-3'));
    expect(listener.words).toEqual(['live', 'pod-1', 'pod-2', 'absent', 'pod-3']);
    expect(listener.versions).toEqual([first, second, expect.any(BigInt), fourth]);
    const [, , third] = listener.versions;
    expect(third).toBeGreaterThan(second);
    expect(third).toBeLessThan(fourth);
  });

  it('continues from a version, told nothing twice', async () => {
    const version = create('pod-1');
    hold('pod-2');
    await subscribe(version);
    await until('what came after', () => listener.has('pod-2'));
    expect(listener.told).toEqual(['pod-2']);
  });

  it('is live where there is no lease yet', async () => {
    await subscribe();
    create('pod-1');
    await until('the lease', () => listener.has('pod-1'));
    expect(listener.words).toEqual(['live', 'pod-1']);
  });

  it('hears of no other lease', async () => {
    await subscribe();
    server.leases.create({ metadata: { name: 'b' } });
    create('pod-1');
    await until('the lease', () => listener.has('pod-1'));
    expect(listener.told).toEqual(['pod-1']);
  });

  it('ends its connection when it is closed, and tells nothing more', async () => {
    create('pod-1');
    const subscription = await subscribe();
    await until('the state', () => listener.has('pod-1'));
    subscription.close();
    subscription.close();
    hold('pod-2');
    await sleep(100);
    expect(listener.words).toEqual(['live', 'pod-1']);
    expect(server.faults.closeWatches()).toBe(0);
    expect(watches()).toBe(1);
  });
});

describe('what ends a connection', () => {
  it('in good order: it is resumed at once where it stood', async () => {
    create('pod-1');
    await subscribe();
    await until('the state', () => listener.has('pod-1'));
    const begin = now();
    server.faults.closeWatches();
    hold('pod-2');
    await until('what came meanwhile', () => listener.has('pod-2'));
    expect(now() - begin).toBeLessThan(200);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
  });

  it('by a reset: it is resumed where it stood, a moment later', async () => {
    create('pod-1');
    await subscribe();
    await until('the state', () => listener.has('pod-1'));
    proxy.reset();
    await until('the break', () => listener.has('dead'));
    hold('pod-2');
    await until('what came meanwhile', () => listener.has('pod-2'));
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
  });

  it('again and again: the next waits longer and longer', async () => {
    server.faults.dropBefore({ match: { verb: 'watch' } });
    watch.subscribe(key, null, listener);
    await sleep(1500);
    expect(watches()).toBeGreaterThan(1);
    expect(watches()).toBeLessThan(5);
    server.faults.clear();
    await until('it is live', () => listener.isLive);
    expect(listener.words).toEqual(['live']);
  });

  it('without having said anything, over and over: no hot loop', async () => {
    watch.subscribe(key, server.version, listener);
    const end = now() + 1200;
    while (now() < end) {
      server.faults.closeWatches();
      await sleep(5);
    }
    expect(watches()).toBeGreaterThan(1);
    expect(watches()).toBeLessThan(6);
  });

  it.each([
    ['a 500', { code: 500 }],
    ['a 429', { code: 429, retryAfterSeconds: 1 }],
    ['a 401', { code: 401 }],
    ['a page', { code: 502, body: '<html>' }],
  ])('before it began, with %s: tried again, not in a hot loop', async (_what, fault) => {
    const { hits } = server.faults.status({ ...fault, match: { verb: 'watch' }, times: 1 });
    expect(hits).toBe(0);
    watch.subscribe(key, null, listener);
    await sleep(150);
    expect(watches()).toBe(1);
    if (fault.code === 401) return;
    await until('it is live', () => listener.isLive);
    expect(warnings).toEqual([]);
  });
});

describe('a version that is too old', () => {
  it.each(['in-stream', 'http'] as const)(
    'said %s, later: starts from the state of now and tells of the gap',
    async (shape) => {
      create('pod-1');
      await subscribe();
      await until('the state', () => listener.has('pod-1'));
      hold('pod-2');
      await until('the change', () => listener.has('pod-2'));
      server.faults.expireWatches({ shape });
      await until('the gap', () => listener.gaps > 0);
      await until('the state again', () => listener.told.length === 3);
      expect(listener.words.slice(-3)).toEqual(['live', 'gap', 'pod-2']);
      expect(listener.gaps).toBe(1);
    },
  );

  it('at once: the same', async () => {
    const version = create('pod-1');
    server.leases.delete('default', 'a');
    server.compact();
    watch.subscribe(key, version, listener);
    await until('the gap', () => listener.gaps > 0);
    expect(listener.isLive).toBe(true);
    expect(listener.told).toEqual([]);
  });

  it('whatever is asked for: no hot loop', async () => {
    server.faults.status({ code: 410, reason: 'Expired', match: { verb: 'watch' } });
    watch.subscribe(key, 1n, listener);
    await sleep(1200);
    expect(watches()).toBeGreaterThan(1);
    expect(watches()).toBeLessThan(6);
    server.faults.clear();
    await until('the gap', () => listener.gaps === 1);
  });
});

describe('a watch that is forbidden', () => {
  it('is told once with the rule to add, and tried again later', async () => {
    const fault = server.faults.forbid({ verb: 'watch' });
    watch.subscribe(key, null, listener);
    const other = new Recorder();
    watch.subscribe({ ...key, name: 'b' }, null, other);
    await until('several tries', () => fault.hits >= 4);
    expect(listener.isLive).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ code: 'WATCH_FORBIDDEN', name: 'SyncWarning' });
    expect(warnings[0]?.message).toContain(
      '{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["watch"]}',
    );
    fault.remove();
    await until('both are live', () => listener.isLive && other.isLive);
  });

  it('after it was allowed: no longer live', async () => {
    await subscribe();
    server.faults.forbid({ verb: 'watch' });
    server.faults.closeWatches();
    await until('the warning', () => warnings.length === 1);
    expect(listener.words).toEqual(['live', 'dead']);
  });
});

describe('a suspect connection', () => {
  it('is replaced by a new one, from where it stood', async () => {
    create('pod-1');
    const subscription = await subscribe();
    await until('the state', () => listener.has('pod-1'));
    await sleep(1000);
    proxy.freeze();
    hold('pod-2');
    await sleep(50);
    expect(listener.told).toEqual(['pod-1']);
    subscription.suspect();
    await until('what it kept back', () => listener.has('pod-2'));
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
  });

  it('is left alone within a second of having been opened or heard', async () => {
    const subscription = await subscribe();
    for (let round = 0; round < 3; round++) subscription.suspect();
    await sleep(1000);
    create('pod-1');
    await until('the lease', () => listener.has('pod-1'));
    subscription.suspect();
    await sleep(50);
    expect(watches()).toBe(1);
  });

  it('a second time with nothing heard in between: its version is not trusted either', async () => {
    create('pod-1');
    watch.subscribe(key, 999_999_999n, listener).close();
    const subscription = watch.subscribe(key, 999_999_999n, listener);
    await until('it is live', () => listener.isLive);
    hold('pod-2');
    for (const times of [1, 2]) {
      await sleep(1050);
      expect(listener.told).toEqual([]);
      subscription.suspect();
      await until('it is replaced', () => watches() > times);
    }
    await until('the state', () => listener.has('pod-2'));
    expect(listener.gaps).toBe(1);
  });

  it('becomes one when a request on another connection fell silent after it was last heard', async () => {
    await subscribe();
    await sleep(1000);
    watch.doubt(now() - 1100);
    await sleep(50);
    expect(watches()).toBe(1);
    watch.doubt(now() - 500);
    await until('it is replaced', () => watches() === 2);
  });
});
