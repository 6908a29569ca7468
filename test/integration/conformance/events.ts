import { describe, expect, it } from '@jest/globals';
import type { Json } from '../../../tools/harness/raw.js';
import { create, newName, put, RECORD, remove, update, versionOf } from './lease.js';
import type { GetCluster } from './lease.js';
import { byName, opener, seen, SILENCE_MS } from './stream.js';

/** What an open watch shows: every change once, in order, as far as its selector reaches. */
export function eventConformance(get: GetCluster): void {
  describe('changes', () => changeConformance(get));
  describe('selectors', () => selectorConformance(get));
}

function changeConformance(get: GetCluster): void {
  const open = opener(get);

  it('shows creation, change and deletion, each once, in the order of versions', async () => {
    const before = await create(get());
    const watch = await open(`resourceVersion=${before.metadata.resourceVersion}`);
    const lease = await create(get());
    const later = await update(get(), lease, { leaseTransitions: 2 });
    await remove(get(), later);
    const after = await create(get(), RECORD, { name: lease.metadata.name });
    expect(await watch.next()).toEqual({ type: 'ADDED', object: lease });
    expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
    expect(await watch.next()).toMatchObject({ type: 'DELETED' });
    expect(await watch.next()).toEqual({ type: 'ADDED', object: after });
    expect(await watch.next(SILENCE_MS)).toBe('silent');
    watch.close();
  });

  it('DELETED has the last state with a version of its own', async () => {
    const lease = await create(get(), RECORD, { labels: { a: 'b' } });
    const watch = await open(`${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}`);
    await remove(get(), lease);
    const { object } = seen(await watch.next());
    expect(object).toMatchObject({ metadata: { labels: { a: 'b' } }, spec: RECORD });
    expect(versionOf(object)).toBeGreaterThan(versionOf(lease));
    const again = await create(get(), RECORD, { name: lease.metadata.name });
    expect(versionOf(again)).toBeGreaterThan(versionOf(object));
    watch.close();
  });

  it('says nothing of a write that changed nothing', async () => {
    const lease = await create(get());
    const watch = await open(`${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}`);
    expect(await put(get(), lease)).toMatchObject({ status: 200 });
    expect(await watch.next(SILENCE_MS)).toBe('silent');
    watch.close();
  });

  it('comes to every watcher', async () => {
    const lease = await create(get());
    const from = `${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}`;
    const watches = await Promise.all([open(from), open(from), open(from)]);
    const later = await update(get(), lease, { leaseTransitions: 2 });
    for (const watch of watches) {
      expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
      watch.close();
    }
  });
}

function selectorConformance(get: GetCluster): void {
  const open = opener(get);

  it('metadata.name: nothing of another Lease', async () => {
    const lease = await create(get());
    const other = await create(get());
    const watch = await open(`${byName(lease)}&resourceVersion=${other.metadata.resourceVersion}`);
    await update(get(), other, { leaseTransitions: 2 });
    const later = await update(get(), lease, { leaseTransitions: 2 });
    expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
    watch.close();
  });

  it('labels: leaving is DELETED with the old state, entering is ADDED', async () => {
    const group = newName();
    const inside = { labels: { group } };
    const lease = await create(get(), RECORD, inside);
    const from = lease.metadata.resourceVersion;
    const watch = await open(`labelSelector=group%3D${group}&resourceVersion=${from}`);
    const left = await update(get(), lease, { leaseTransitions: 2 }, { labels: {} });
    const unseen = await update(get(), left, { leaseTransitions: 3 });
    const back = await update(get(), unseen, { leaseTransitions: 4 }, inside);
    await remove(get(), back);
    const gone = { ...lease.metadata, resourceVersion: left.metadata.resourceVersion } as Json;
    expect(await watch.next()).toEqual({ type: 'DELETED', object: { ...lease, metadata: gone } });
    expect(await watch.next()).toEqual({ type: 'ADDED', object: back });
    expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { spec: back.spec } });
    watch.close();
  });

  it('labels: the present state has only what they select', async () => {
    const group = newName();
    const lease = await create(get(), RECORD, { labels: { group } });
    await create(get());
    const watch = await open(`labelSelector=group%3D${group}&resourceVersion=0`);
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: lease });
    expect(await watch.next(SILENCE_MS)).toBe('silent');
    watch.close();
  });
}
