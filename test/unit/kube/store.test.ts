import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Change, Lease } from '../../../src/lease/record.js';
import type { Decoration, RequestOptions } from '../../../src/lease/store.js';
import { KubeLeaseStore } from '../../../src/lease/kube/store.js';
import type { Transport } from '../../../src/lease/kube/transport.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { ManualLeaseServer } from '../../../src/testing/index.js';
import { simulationOf } from '../../../src/lease/kube/simulation.js';
import { Sender } from './support/sending.js';

let api: ManualLeaseServer;
let transport: Transport;
let store: KubeLeaseStore;

beforeEach(async () => {
  api = await startLeaseServer({ clock: 'manual', namespaces: ['default'] });
  const { kubeConfig } = api;
  const simulation = simulationOf(kubeConfig);
  if (simulation === undefined) throw new Error('no simulation');
  transport = new Sender(simulation.clock, simulation.wire, kubeConfig).transport;
  store = new KubeLeaseStore(transport, api.url);
});

afterEach(async () => {
  transport.close();
  await api.close();
});

const plain: Decoration = { labels: {}, annotations: {}, ownerReferences: [] };
const wall = Date.UTC(2026, 2, 5, 10);

function options(): RequestOptions {
  return { deadline: api.now + 5_000, limitMs: 3_000 };
}

function change(holder: string, stamp: number, token?: bigint): Change {
  const times = { acquireTime: wall, renewTime: wall + stamp };
  return {
    record: { holder, durationMs: 15_000, ...times, transitions: stamp },
    mark: token === undefined ? null : { nonce: 'n', token },
  };
}

let count = 0;
function newKey() {
  return { namespace: 'default', name: `lease-${++count}` };
}

async function created(key = newKey()): Promise<Lease> {
  const outcome = await store.create(key, change('', 0), plain, options());
  if (outcome.kind !== 'created') throw new Error(outcome.kind);
  return outcome.lease;
}

describe('the life of a lease', () => {
  it('created, taken, read, deleted', async () => {
    const key = newKey();
    expect(await store.read(key, options())).toEqual({ kind: 'missing' });
    const vacant = await created(key);
    expect(vacant).toMatchObject({ key, mark: null, idleMs: null });
    const claim = change('pod-1', 1, vacant.version ?? 0n);
    const written = await store.write(vacant, claim, plain, options());
    if (written.kind !== 'written') throw new Error(written.kind);
    expect(written.lease).toMatchObject({ uid: vacant.uid, ...claim });
    expect(written.lease.version).toBeGreaterThan(vacant.version ?? 0n);
    const read = await store.read(key, options());
    if (read.kind !== 'found') throw new Error(read.kind);
    expect({ ...read.lease, idleMs: null }).toEqual(written.lease);
    expect(await store.delete(read.lease, options())).toEqual({ kind: 'deleted' });
    expect(await store.read(key, options())).toEqual({ kind: 'missing' });
  });

  it('says how long it has been idle by the clock of the api', async () => {
    const key = newKey();
    const fresh = change('pod-1', 0);
    const record = { ...fresh.record, renewTime: api.date.getTime() };
    await store.create(key, { ...fresh, record }, plain, options());
    api.faults.clockSkew(60_000, { match: { verb: 'get' } });
    const read = await store.read(key, options());
    expect(read.kind === 'found' && read.lease.idleMs).toBe(60_000);
  });

  it('asks the quorum: a read names no version', async () => {
    const calls: string[] = [];
    const spy = new KubeLeaseStore(
      {
        send: (call, opts) => {
          calls.push(`${call.method} ${call.path}`);
          return transport.send(call, opts);
        },
      },
      api.url,
    );
    await spy.read({ namespace: 'default', name: 'a.b' }, options());
    expect(calls).toEqual(['GET /apis/coordination.k8s.io/v1/namespaces/default/leases/a.b']);
  });
});

describe('what the protocol has a name for', () => {
  it('a second creation: exists', async () => {
    const { key } = await created();
    expect(await store.create(key, change('', 0), plain, options())).toEqual({ kind: 'exists' });
  });

  it('a write or delete onto an older version: conflict', async () => {
    const vacant = await created();
    await store.write(vacant, change('pod-1', 1), plain, options());
    const second = await store.write(vacant, change('pod-2', 2), plain, options());
    expect(second).toEqual({ kind: 'conflict' });
    expect(await store.delete(vacant, options())).toEqual({ kind: 'conflict' });
  });

  it('a write onto another incarnation: conflict', async () => {
    const { key, ...vacant } = await created();
    api.leases.delete('default', key.name);
    await created(key);
    const outcome = await store.write({ key, ...vacant }, change('pod-1', 1), plain, options());
    expect(outcome).toEqual({ kind: 'conflict' });
  });

  it('a write onto a deleted lease creates none', async () => {
    const vacant = await created();
    api.leases.delete('default', vacant.key.name);
    const outcome = await store.write(vacant, change('pod-1', 1), plain, options());
    expect(['missing', 'conflict']).toContain(outcome.kind);
    expect(await store.delete(vacant, options())).toEqual({ kind: 'missing' });
    expect(api.leases.get('default', vacant.key.name)).toBeUndefined();
  });
});

describe('an announcement', () => {
  const id = '0123456789abcdef';
  const announcement = { id, waitedMs: 2_000, standBackMs: 70 };

  it('is put beside whatever stands there by then, and taken away', async () => {
    const vacant = await created();
    api.leases.edit('default', vacant.key.name, ({ metadata }) => {
      metadata.labels = { edited: 'meanwhile' };
    });
    const put = await store.announce(vacant, id, announcement, options());
    if (put.kind !== 'written') throw new Error(put.kind);
    expect(put.lease.waiting).toEqual([announcement]);
    expect(put.lease.version).toBeGreaterThan(vacant.version ?? 0n);
    expect(api.leases.get('default', vacant.key.name)?.metadata.labels).toEqual({
      edited: 'meanwhile',
    });
    const gone = await store.announce(vacant, id, null, options());
    if (gone.kind !== 'written') throw new Error(gone.kind);
    expect(gone.lease.waiting).toEqual([]);
    expect(gone.lease.content).toBe(put.lease.content);
  });

  it('goes onto no other lease of the name', async () => {
    const vacant = await created();
    api.leases.delete('default', vacant.key.name);
    expect(await store.announce(vacant, id, announcement, options())).toEqual({ kind: 'missing' });
    await created(vacant.key);
    const outcome = await store.announce(vacant, id, announcement, options());
    expect(outcome).toMatchObject({ kind: 'refused', error: { status: 422 } });
  });

  it('that is forbidden says so by its verb', async () => {
    const vacant = await created();
    api.faults.forbid({ verb: 'patch' });
    expect(await store.announce(vacant, id, announcement, options())).toMatchObject({
      ...{ kind: 'refused', transient: false },
      error: { name: 'ForbiddenError', verb: 'patch' },
    });
  });

  it.each([
    ['a merge patch', (held: Lease) => store.announce(held, id, announcement, options())],
    [
      'a compare-and-swap',
      (held: Lease) =>
        store.write(held, { record: held.record, mark: held.mark, announcement }, plain, options()),
    ],
    [
      'a bump',
      (held: Lease) =>
        store.write(held, { record: held.record, mark: held.mark, bump: 'b' }, plain, options()),
    ],
  ])('as %s leaves the time alone at which the API server saw the renewal', async (_what, send) => {
    const key = newKey();
    const fresh = change('pod-1', 0);
    const record = { ...fresh.record, renewTime: api.date.getTime() };
    await store.create(key, { ...fresh, record }, plain, options());
    await api.advance(20_000);
    const before = await store.read(key, options());
    if (before.kind !== 'found') throw new Error(before.kind);
    expect(before.lease.idleMs).toBe(20_000);
    expect(await send(before.lease)).toMatchObject({ kind: 'written' });
    const after = await store.read(key, options());
    expect(after.kind === 'found' && after.lease.idleMs).toBe(20_000);
  });
});

describe('what is not a matter of the lease', () => {
  /** One of each, at once: each has to wait for its turn when those before it failed. */
  const all = (lease: Lease) =>
    api.advanceUntil(
      Promise.all([
        store.read(lease.key, options()),
        store.create(lease.key, change('', 0), plain, options()),
        store.write(lease, change('pod-1', 1), plain, options()),
        store.delete(lease, options()),
      ]),
    );

  it.each([
    ['a 404 page of some proxy', { code: 404, body: '<html>404</html>' }, 'refused', 'ApiError'],
    ['a 500', { code: 500 }, 'unknown', 'ApiUnreachableError'],
    ['a 429', { code: 429, retryAfterSeconds: 0 }, 'refused', 'ApiUnreachableError'],
    ['a 401', { code: 401 }, 'refused', 'UnauthorizedError'],
    [
      'a webhook that says 409',
      { code: 409, message: 'admission webhook "g" denied the request: no' },
      ...(['refused', 'ApiError'] as const),
    ],
  ])('%s', async (_what, fault, kind, name) => {
    const lease = await created();
    api.faults.status(fault);
    for (const outcome of await all(lease)) {
      expect(outcome).toMatchObject({ kind, error: { name } });
    }
  });

  it('a page that says 200: unknown', async () => {
    const lease = await created();
    api.faults.status({ code: 200, body: '<html>Sign in</html>' });
    const [read, create, write] = await all(lease);
    for (const outcome of [read, create, write]) {
      expect(outcome).toMatchObject({ kind: 'unknown', error: { name: 'ApiError', status: 200 } });
    }
  });

  it('what RBAC forbids, by verb', async () => {
    const lease = await created();
    api.faults.forbid({});
    const verbs = (await all(lease)).map((outcome) => ('error' in outcome ? outcome.error : null));
    expect(verbs).toMatchObject(
      ['get', 'create', 'update', 'delete'].map((verb) => ({ name: 'ForbiddenError', verb })),
    );
  });

  it('a namespace that is missing, and one that goes away', async () => {
    const missing = { namespace: 'nowhere', name: 'x' };
    expect(await store.create(missing, change('', 0), plain, options())).toMatchObject({
      ...{ kind: 'refused', transient: false },
      error: { name: 'NamespaceError', namespace: 'nowhere' },
    });
    api.createNamespace('leaving');
    api.terminateNamespace('leaving');
    const leaving = { namespace: 'leaving', name: 'x' };
    expect(await store.create(leaving, change('', 0), plain, options())).toMatchObject({
      ...{ kind: 'refused', transient: false },
      error: { name: 'NamespaceError', namespace: 'leaving' },
    });
  });

  it('a reply that is dropped after the commit: unknown', async () => {
    const lease = await created();
    api.faults.dropAfterCommit({ times: 1 });
    const outcome = await store.write(lease, change('pod-1', 1), plain, options());
    expect(outcome).toMatchObject({ kind: 'unknown', error: { name: 'ApiUnreachableError' } });
    expect(api.leases.get('default', lease.key.name)?.spec.holderIdentity).toBe('pod-1');
  });
});
