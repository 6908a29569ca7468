import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SyncWarning } from '../../../src/errors.js';
import type { WatchSubscription } from '../../../src/lease/store.js';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { ManualLeaseServer } from '../../../src/testing/index.js';
import { WatchRecorder } from '../../support/watch-recorder.js';
import { watchOf } from './support/watching.js';

const REFUSED_PAUSE_MS = 6_400;
const key = { namespace: 'default', name: 'a' };

let api: ManualLeaseServer;
let watch: KubeLeaseWatch;
let warnings: SyncWarning[];
let listener: WatchRecorder;

beforeEach(async () => {
  api = await startLeaseServer({ clock: 'manual' });
  ({ watch, warnings } = watchOf(api, { refusedPauseMs: REFUSED_PAUSE_MS }));
  listener = new WatchRecorder();
});

afterEach(async () => {
  watch.close();
  await api.close();
});

function create(holder: string): bigint {
  const { metadata } = api.leases.create({
    ...{ metadata: { name: 'a' }, spec: { holderIdentity: holder } },
  });
  return BigInt(metadata.resourceVersion);
}

function hold(holder: string): bigint {
  const { metadata } = api.leases.edit('default', 'a', (lease) => {
    Object.assign(lease.spec, { holderIdentity: holder });
  });
  return BigInt(metadata.resourceVersion);
}

/** Subscribes, and lets everything arrive that needs no time. */
async function subscribe(from: bigint | null = null): Promise<WatchSubscription> {
  const subscription = watch.subscribe(key, from, listener);
  await api.advance(0);
  return subscription;
}

const start = Date.UTC(2030, 0, 1);
/** When watches were asked for. */
const askedAt = (): number[] =>
  api.requests.log.filter(({ verb }) => verb === 'watch').map(({ at }) => at - start);

describe('a watch of one lease', () => {
  it('tells the state of now and every change from there', async () => {
    const first = create('pod-1');
    await subscribe();
    const second = hold('pod-2');
    api.leases.delete('default', 'a');
    const fourth = create('pod-3');
    await api.advance(0);
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
    expect(listener.words).toEqual(['live', 'pod-2']);
  });

  it('is live where there is no lease yet', async () => {
    await subscribe();
    create('pod-1');
    await api.advance(0);
    expect(listener.words).toEqual(['live', 'pod-1']);
  });

  it('hears of no other lease', async () => {
    await subscribe();
    api.leases.create({ metadata: { name: 'b' } });
    create('pod-1');
    await api.advance(0);
    expect(listener.told).toEqual(['pod-1']);
  });

  it('ends its connection when it is closed, and tells nothing more', async () => {
    create('pod-1');
    const subscription = await subscribe();
    subscription.close();
    subscription.close();
    hold('pod-2');
    await api.advance(600_000);
    expect(listener.words).toEqual(['live', 'pod-1']);
    expect(api.faults.closeWatches()).toBe(0);
    expect(askedAt()).toEqual([0]);
  });

  it('is renewed by the server after minutes, without a gap', async () => {
    create('pod-1');
    await subscribe();
    await api.advance(3 * 240_000);
    expect(askedAt()).toEqual([0, 240_000, 480_000, 720_000]);
    hold('pod-2');
    await api.advance(0);
    expect([listener.told, listener.gaps]).toEqual([['pod-1', 'pod-2'], 0]);
  });
});

describe('what ends a connection', () => {
  it('in good order: it is resumed at once where it stood', async () => {
    create('pod-1');
    await subscribe();
    api.faults.closeWatches();
    hold('pod-2');
    await api.advance(0);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
    expect(askedAt()).toEqual([0, 0]);
  });

  it('by a reset: it is resumed where it stood, a moment later', async () => {
    create('pod-1');
    await subscribe();
    api.faults.resetWatches();
    hold('pod-2');
    await api.advance(249);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead']);
    await api.advance(1);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
  });

  it('again and again: the next waits longer and longer', async () => {
    api.faults.dropBefore({ match: { verb: 'watch' } });
    await subscribe();
    await api.advance(2_000);
    expect(askedAt()).toEqual([0, 250, 750, 1_750]);
    api.faults.clear();
    await api.advance(1_750);
    expect(listener.words).toEqual(['live']);
  });

  it('without having said anything, over and over: no hot loop', async () => {
    watch.subscribe(key, api.version, listener);
    for (let passed = 0; passed < 2_000; passed += 50) {
      await api.advance(50);
      api.faults.closeWatches();
    }
    expect(askedAt()).toEqual([0, 300, 800, 1_800]);
  });

  it.each([
    ['a 500', { code: 500 }, 250],
    ['a 429', { code: 429, retryAfterSeconds: 1 }, 1_250],
    ['a 401', { code: 401 }, 10_000],
    ['a page', { code: 502, body: '<html>' }, 250],
  ])('before it began, with %s: tried again after a while', async (_what, fault, pauseMs) => {
    api.faults.status({ ...fault, match: { verb: 'watch' }, times: 1 });
    await subscribe();
    await api.advance(pauseMs);
    expect(askedAt()).toEqual([0, pauseMs]);
    expect(listener.isLive).toBe(true);
    expect(warnings).toEqual([]);
  });
});

describe('a version that is too old', () => {
  it.each(['in-stream', 'http'] as const)(
    'said %s, later: starts from the state of now and tells of the gap',
    async (shape) => {
      create('pod-1');
      await subscribe();
      hold('pod-2');
      await api.advance(0);
      api.faults.expireWatches({ shape });
      await api.advance(0);
      expect(listener.words.slice(-3)).toEqual(['live', 'gap', 'pod-2']);
      expect(listener.told).toEqual(['pod-1', 'pod-2', 'pod-2']);
      expect(listener.gaps).toBe(1);
    },
  );

  it('at once: the same', async () => {
    const version = create('pod-1');
    api.leases.delete('default', 'a');
    api.compact();
    await subscribe(version);
    expect([listener.gaps, listener.isLive]).toEqual([1, true]);
    expect(listener.told).toEqual([]);
  });

  it('whatever is asked for: no hot loop', async () => {
    api.faults.status({ code: 410, reason: 'Expired', match: { verb: 'watch' } });
    await subscribe(1n);
    await api.advance(1_000);
    expect(askedAt()).toEqual([0, 0, 250, 750]);
    api.faults.clear();
    await api.advance(750);
    expect(listener.words).toEqual(['live', 'gap']);
  });
});

describe('a watch that is forbidden', () => {
  it('is told once with the rule to add, and tried again later', async () => {
    const fault = api.faults.forbid({ verb: 'watch' });
    await subscribe();
    const other = new WatchRecorder();
    watch.subscribe({ ...key, name: 'b' }, null, other);
    await api.advance(300);
    expect(askedAt()).toEqual([0, 0, 100, 100, 300, 300]);
    expect(listener.isLive).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ code: 'WATCH_FORBIDDEN', name: 'SyncWarning' });
    expect(warnings[0]?.message).toContain(
      '{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["watch"]}',
    );
    fault.remove();
    await api.advance(400);
    expect([listener.words, other.words]).toEqual([['live'], ['live']]);
  });

  it('in two namespaces is told once for each', async () => {
    api.faults.forbid({ verb: 'watch' });
    for (const namespace of ['one', 'two']) watch.subscribe({ ...key, namespace }, null, listener);
    await api.advance(60_000);
    expect(warnings.map(({ cause }) => cause)).toMatchObject([
      { namespace: 'one', verb: 'watch' },
      { namespace: 'two', verb: 'watch' },
    ]);
  });

  it('after it was allowed: no longer live', async () => {
    await subscribe();
    api.faults.forbid({ verb: 'watch' });
    api.faults.closeWatches();
    await api.advance(250);
    expect(warnings).toHaveLength(1);
    expect(listener.words).toEqual(['live', 'dead']);
  });
});

describe('a suspect connection', () => {
  it('is replaced by a new one, from where it stood', async () => {
    create('pod-1');
    const subscription = await subscribe();
    await api.advance(1_000);
    api.faults.stallWatch({ which: 'open' });
    hold('pod-2');
    await api.advance(0);
    expect(listener.told).toEqual(['pod-1']);
    subscription.suspect();
    await api.advance(0);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live', 'pod-2']);
    expect(askedAt()).toEqual([0, 1_000]);
  });

  it('is left alone within a second of having been opened or heard', async () => {
    const subscription = await subscribe();
    await api.advance(999);
    subscription.suspect();
    create('pod-1');
    await api.advance(999);
    subscription.suspect();
    await api.advance(0);
    expect(askedAt()).toEqual([0]);
    await api.advance(1);
    subscription.suspect();
    await api.advance(0);
    expect(askedAt()).toEqual([0, 1_999]);
  });

  it('a second time with nothing heard in between: its version is not trusted either', async () => {
    create('pod-1');
    const subscription = await subscribe(999_999_999n);
    hold('pod-2');
    await api.advance(1_000);
    subscription.suspect();
    await api.advance(1_000);
    expect(listener.words).toEqual(['live', 'dead', 'live']);
    subscription.suspect();
    await api.advance(0);
    expect(listener.words).toEqual(['live', 'dead', 'live', 'dead', 'live', 'gap', 'pod-2']);
    expect(askedAt()).toEqual([0, 1_000, 2_000]);
  });

  it('becomes one when a request on another connection fell silent after it was last heard', async () => {
    await subscribe();
    await api.advance(1_000);
    create('pod-1');
    await api.advance(500);
    watch.doubt(1_000);
    await api.advance(0);
    expect(askedAt()).toEqual([0]);
    watch.doubt(1_001);
    await api.advance(0);
    expect(askedAt()).toEqual([0, 1_500]);
    expect(listener.words).toEqual(['live', 'pod-1', 'dead', 'live']);
  });
});
