// The knobs of the embedded server that meet watches, and what its options say about them.
import { describe, expect, it } from '@jest/globals';
import { BY_NAME, freshManualServer, lease, LEASES, MemoryClient, post } from './bench.js';
import type { BaseLeaseServer } from '@metaparticle/sync/testing';

/** Long enough for whatever comes at all, short of the end of a watch. */
const LONG_MS = 50_000;

const WATCH = `${LEASES}?watch=true`;

function change(api: BaseLeaseServer, name = 'one'): void {
  api.leases.edit('default', name, ({ spec }) => {
    spec.leaseTransitions = (spec.leaseTransitions ?? 0) + 1;
  });
}

describe('stallWatch', () => {
  const bench = freshManualServer();

  it('delivers nothing, and what was held back when resumed, in order', async () => {
    const { api, client } = bench();
    await post(bench());
    const watch = await client.watch(WATCH);
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
    const stall = api.faults.stallWatch();
    change(api);
    api.leases.delete('default', 'one');
    expect(await watch.next(LONG_MS)).toBe('silent');
    expect(stall.hits).toBe(1);
    stall.resume();
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED' });
    expect(await watch.next()).toMatchObject({ type: 'DELETED' });
    await post(bench());
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
  });

  it('may lose what was held back', async () => {
    const { api, client } = bench();
    await post(bench());
    const watch = await client.watch(`${WATCH}&resourceVersion=${api.version}`);
    const stall = api.faults.stallWatch();
    change(api);
    stall.resume('nothing');
    change(api);
    expect(await watch.next()).toMatchObject({
      type: 'MODIFIED',
      object: { spec: { leaseTransitions: 2 } },
    });
  });

  it('meets those opened later too, and only those that match', async () => {
    const { api, client } = bench();
    await post(bench());
    api.faults.stallWatch({ match: { name: 'one' } });
    const stalled = await client.watch(`${WATCH}&${BY_NAME}`);
    const other = await client.watch(WATCH);
    expect(stalled.status).toBe(200);
    expect(await other.next()).toMatchObject({ type: 'ADDED' });
    expect(await stalled.next(LONG_MS)).toBe('silent');
  });

  it("which: 'open' is a half-open connection: the next one works", async () => {
    const { api, client } = bench();
    await post(bench());
    const stalled = await client.watch(`${WATCH}&resourceVersion=${api.version}`);
    api.faults.stallWatch({ which: 'open' });
    const next = await client.watch(`${WATCH}&resourceVersion=${api.version}`);
    change(api);
    expect(await next.next()).toMatchObject({ type: 'MODIFIED' });
    expect(await stalled.next(LONG_MS)).toBe('silent');
  });

  it('holds the end of a watch back as well, and clear() lets it go', async () => {
    const { api, client } = bench();
    const watch = await client.watch(`${WATCH}&timeoutSeconds=1`);
    api.faults.stallWatch();
    expect(await watch.next(LONG_MS)).toBe('silent');
    api.faults.clear();
    expect(await watch.next()).toBe('ended');
  });
});

describe('expireWatches', () => {
  const bench = freshManualServer();

  it('in-stream: an ERROR ends what is open, and meets who continues', async () => {
    const { api, client } = bench();
    await post(bench());
    const at = api.version;
    const watch = await client.watch(`${WATCH}&resourceVersion=${at}`);
    expect(api.faults.expireWatches().hits).toBe(1);
    const expired = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } };
    expect(await watch.next()).toMatchObject(expired);
    expect(await watch.next()).toBe('ended');
    const again = await client.watch(`${WATCH}&resourceVersion=${at}`);
    expect(again.status).toBe(200);
    expect(await again.next()).toMatchObject(expired);
    const fresh = await client.watch(`${WATCH}&resourceVersion=0`);
    expect(await fresh.next()).toMatchObject({ type: 'ADDED' });
  });

  it('http: a clean end, then the status of the answer, until removed', async () => {
    const { api, client } = bench();
    const at = api.version;
    const watch = await client.watch(`${WATCH}&resourceVersion=${at}`);
    const fault = api.faults.expireWatches({ shape: 'http' });
    expect(await watch.next()).toBe('ended');
    const refused = await client.request('GET', `${WATCH}&resourceVersion=${at}`);
    expect(refused.body).toMatchObject({ code: 410, reason: 'Expired' });
    expect(refused.status).toBe(410);
    expect((await client.watch(`${WATCH}&resourceVersion=${api.version}`)).status).toBe(200);
    expect(fault.hits).toBe(1);
    fault.remove();
    expect((await client.watch(`${WATCH}&resourceVersion=${at}`)).status).toBe(200);
  });

  it('compact(): the same for who comes back, open watches go on', async () => {
    const { api, client } = bench();
    await post(bench());
    const at = api.version;
    const open = await client.watch(`${WATCH}&resourceVersion=${at}`);
    api.compact();
    change(api);
    expect(await open.next()).toMatchObject({ type: 'MODIFIED' });
    const late = await client.watch(`${WATCH}&resourceVersion=${at}`);
    expect(await late.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  });
});

describe('ends of watches', () => {
  const bench = freshManualServer();

  it('closeWatches: cleanly, those that match', async () => {
    const { api, client } = bench();
    const alice = await new MemoryClient(api, 'alice').watch(WATCH);
    const admin = await client.watch(WATCH);
    expect(api.faults.closeWatches({ match: { user: 'alice' } })).toBe(1);
    expect(await alice.next()).toBe('ended');
    api.leases.create({ metadata: { name: 'one' } });
    expect(await admin.next()).toMatchObject({ type: 'ADDED' });
  });

  it('resetWatches: by a broken connection', async () => {
    const { api, client } = bench();
    const watch = await client.watch(WATCH);
    expect(api.faults.resetWatches()).toBe(1);
    expect(await watch.next()).toBe('broken');
    expect(watch.end).toMatchObject({ error: { code: 'ECONNRESET' } });
    expect(api.faults.resetWatches()).toBe(0);
  });

  it('timeoutSeconds: at that time, to the millisecond', async () => {
    const { client } = bench();
    const watch = await client.watch(`${WATCH}&timeoutSeconds=7`);
    expect(await watch.next(6_999)).toBe('silent');
    expect(await watch.next(1)).toBe('ended');
  });

  it('a client that leaves is forgotten', async () => {
    const { api } = bench();
    const client = new MemoryClient(api);
    await client.watch(WATCH);
    client.close();
    expect(api.faults.closeWatches()).toBe(0);
  });
});

describe('opening a watch', () => {
  const bench = freshManualServer({ bookmarkIntervalMs: 5_000 });

  it('meets the knobs of requests', async () => {
    const { api, client } = bench();
    api.faults.status({ code: 503, retryAfterSeconds: 1, match: { verb: 'watch' }, times: 1 });
    expect((await client.watch(WATCH)).status).toBe(503);
    api.faults.dropBefore({ match: { verb: 'watch' }, times: 1 });
    expect(await (await client.watch(WATCH)).next()).toBe('broken');
    api.faults.delay({ requestMs: 100, match: { verb: 'watch' }, times: 1 });
    const watch = await client.watch(WATCH);
    expect(await watch.next(99)).toBe('silent');
    expect(watch.status).toBe(0);
    await watch.next(1);
    expect(watch.status).toBe(200);
  });

  it('bookmarks come at the interval asked for, with the version of then', async () => {
    const { api, client } = bench();
    const watch = await client.watch(
      `${WATCH}&resourceVersion=${api.version}&allowWatchBookmarks=true&${BY_NAME}`,
    );
    await post(bench(), lease('two'));
    expect(await watch.next(4_999)).toBe('silent');
    const version = String(api.version);
    expect(await watch.next(1)).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: version } },
    });
  });

  it('of all namespaces', async () => {
    const { api, client } = bench();
    const watch = await client.watch('/apis/coordination.k8s.io/v1/leases?watch=true');
    api.leases.create({ metadata: { name: 'one', namespace: 'far' } });
    expect(await watch.next()).toMatchObject({ object: { metadata: { namespace: 'far' } } });
  });

  it('sendInitialEvents: the state first, also from a known version; a future one is an ERROR', async () => {
    const { api, client } = bench();
    await post(bench());
    const asked = `${WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`;
    const known = await client.watch(`${asked}&resourceVersion=${api.version}`);
    expect(await known.next()).toMatchObject({ type: 'ADDED' });
    const future = await client.watch(`${asked}&resourceVersion=${api.version + 100n}`);
    expect(await future.next()).toMatchObject({
      type: 'ERROR',
      object: { code: 504, details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
    });
  });
});
