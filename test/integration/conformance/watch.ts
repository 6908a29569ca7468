import { describe, expect, it } from '@jest/globals';
import { create, newName, RECORD, update, versionOf } from './lease.js';
import type { GetCluster } from './lease.js';
import { byName, opener, seen, SILENCE_MS } from './stream.js';

/** A version that the store will not reach. */
const FUTURE = '9000000000000000';

/** Watches: where they start, what they show, how they end. */
export function watchConformance(get: GetCluster): void {
  describe('start', () => startConformance(get));
  describe('bookmarks', () => bookmarkConformance(get));
  describe('end', () => endConformance(get));
}

function startConformance(get: GetCluster): void {
  const open = opener(get);

  it.each(['&resourceVersion=0', ''])(
    '%p: the present state comes as ADDED, then news',
    async (at) => {
      const lease = await create(get());
      const watch = await open(byName(lease) + at);
      expect(await watch.next()).toEqual({ type: 'ADDED', object: lease });
      expect(await watch.next(SILENCE_MS)).toBe('silent');
      const later = await update(get(), lease, { leaseTransitions: 2 });
      expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
      watch.close();
    },
  );

  it('0 and no such Lease: nothing, then ADDED when it is made', async () => {
    const name = newName();
    const watch = await open(`fieldSelector=metadata.name%3D${name}&resourceVersion=0`);
    expect(await watch.next(SILENCE_MS)).toBe('silent');
    const lease = await create(get(), RECORD, { name });
    expect(await watch.next()).toEqual({ type: 'ADDED', object: lease });
    watch.close();
  });

  it('a known version: exactly what came later, in order, to the end', async () => {
    const other = await create(get());
    const lease = await create(get());
    const second = await update(get(), lease, { leaseTransitions: 2 });
    const third = await update(get(), second, { leaseTransitions: 3 });
    const watch = await open(`${byName(lease)}&resourceVersion=${other.metadata.resourceVersion}`);
    expect(await watch.next()).toEqual({ type: 'ADDED', object: lease });
    watch.close();
    const later = await open(`${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}`);
    expect(await later.next()).toEqual({ type: 'MODIFIED', object: second });
    expect(await later.next()).toEqual({ type: 'MODIFIED', object: third });
    expect(await later.next(SILENCE_MS)).toBe('silent');
    later.close();
  });

  it('the version of a list: nothing of what the list had', async () => {
    const lease = await create(get());
    const list = await get().request('GET', `${get().leases}?${byName(lease)}`);
    const watch = await open(
      `${byName(lease)}&resourceVersion=${list.body.metadata.resourceVersion}`,
    );
    const later = await update(get(), lease, { leaseTransitions: 2 });
    expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
    watch.close();
  });

  it('a version that is too old: one ERROR with 410 Expired, then the end', async () => {
    const lease = await create(get());
    const watch = await open(`${byName(lease)}&resourceVersion=1`);
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: {
        ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' },
        message: expect.stringContaining('too old resource version: 1'),
      },
    });
    expect(await watch.next()).toBe('end');
  });

  it('a version of the future: silence until the end, also about what happens', async () => {
    const lease = await create(get());
    const watch = await open(`${byName(lease)}&resourceVersion=${FUTURE}&timeoutSeconds=1`);
    await update(get(), lease, { leaseTransitions: 2 });
    expect(await watch.next()).toBe('end');
  });

  it('a version that is no number: refused', async () => {
    const watch = await get().watch(`${get().leases}?watch=true&resourceVersion=abc`);
    expect(watch.status).toBe(500);
    expect(await watch.next()).toMatchObject({ kind: 'Status', status: 'Failure', code: 500 });
  });
}

function bookmarkConformance(get: GetCluster): void {
  const open = opener(get);
  const asked = 'allowWatchBookmarks=true';

  it.each([true, false])('mark the end of the present state (a Lease there: %p)', async (there) => {
    const name = newName();
    const lease = there ? await create(get(), RECORD, { name }) : undefined;
    const watch = await open(`fieldSelector=metadata.name%3D${name}&resourceVersion=0&${asked}`);
    if (lease !== undefined) expect(await watch.next()).toEqual({ type: 'ADDED', object: lease });
    const mark = seen(await watch.next());
    expect(mark).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'Lease', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    expect(versionOf(mark.object)).toBeGreaterThan(0n);
    watch.close();
  });

  it('come before the end, with a version alone; none to a watch that did not ask', async () => {
    const lease = await create(get());
    const from = `${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}&timeoutSeconds=4`;
    const watch = await open(`${from}&allowWatchBookmarks=true`);
    const plain = await open(from);
    const later = await update(get(), lease, { leaseTransitions: 2 });
    expect(await watch.next()).toEqual({ type: 'MODIFIED', object: later });
    let last = seen(await watch.next());
    for (
      let next: typeof last | 'end' | 'silent' = last;
      next !== 'end';
      next = await watch.next()
    ) {
      last = seen(next);
      const { metadata, ...rest } = last.object;
      expect(last.type).toBe('BOOKMARK');
      expect(rest).toEqual({ kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', spec: {} });
      expect(Object.keys(metadata)).toEqual(['resourceVersion']);
      expect(versionOf(last.object)).toBeGreaterThanOrEqual(versionOf(later));
    }
    expect(await plain.next()).toEqual({ type: 'MODIFIED', object: later });
    expect(await plain.next()).toBe('end');
  });
}

function endConformance(get: GetCluster): void {
  const open = opener(get);

  it('timeoutSeconds: a clean end, from which the next watch goes on', async () => {
    const lease = await create(get());
    const from = `${byName(lease)}&resourceVersion=`;
    const watch = await open(`${from}${lease.metadata.resourceVersion}&timeoutSeconds=3`);
    const seenByIt = await update(get(), lease, { leaseTransitions: 2 });
    expect(await watch.next()).toEqual({ type: 'MODIFIED', object: seenByIt });
    expect(await watch.next()).toBe('end');
    const later = await update(get(), seenByIt, { leaseTransitions: 3 });
    const next = await open(`${from}${seenByIt.metadata.resourceVersion}`);
    expect(await next.next()).toEqual({ type: 'MODIFIED', object: later });
    next.close();
  });

  it('?timeout= is none for a watch', async () => {
    const lease = await create(get());
    const watch = await open(
      `${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}&timeout=1s`,
    );
    expect(await watch.next(1_500)).toBe('silent');
    watch.close();
  });

  it('one watch that is closed ends no other', async () => {
    const lease = await create(get());
    const from = `${byName(lease)}&resourceVersion=${lease.metadata.resourceVersion}`;
    const [first, second] = [await open(from), await open(from)];
    first.close();
    const later = await update(get(), lease, { leaseTransitions: 2 });
    expect(await second.next()).toEqual({ type: 'MODIFIED', object: later });
    second.close();
  });
}
