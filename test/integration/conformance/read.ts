import { describe, expect, it } from '@jest/globals';
import { create, expectFailure, newName, pathOf, RECORD, versionOf, without } from './lease.js';
import type { GetCluster } from './lease.js';

/** Reads, lists, and the limit that a request may set itself. */
export function readConformance(get: GetCluster): void {
  describe('GET', () => getConformance(get));
  describe('list', () => listConformance(get));
  describe('?timeout=', () => timeoutConformance(get));
}

function getConformance(get: GetCluster): void {
  it('gives what was written', async () => {
    const lease = await create(get());
    expect(await get().request('GET', pathOf(get(), lease))).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', date: expect.any(String) },
      body: lease,
    });
  });

  it('404 NotFound names the Lease', async () => {
    expectFailure(await get().request('GET', `${get().leases}/none`), 404, 'NotFound', {
      message: 'leases.coordination.k8s.io "none" not found',
      details: { name: 'none', group: 'coordination.k8s.io', kind: 'leases' },
    });
  });
}

function listConformance(get: GetCluster): void {
  it('with fieldSelector metadata.name has that one or none', async () => {
    const lease = await create(get());
    const list = await get().request('GET', `${get().leases}?${byName(lease.metadata.name)}`);
    expect(list).toMatchObject({
      status: 200,
      body: { kind: 'LeaseList', apiVersion: 'coordination.k8s.io/v1' },
    });
    expect(list.body.items).toEqual([without(lease, 'kind', 'apiVersion')]);
    const none = await get().request('GET', `${get().leases}?${byName('none')}`);
    expect(none).toMatchObject({ status: 200, body: { kind: 'LeaseList', items: [] } });
  });

  it('has a version that includes every write answered before', async () => {
    const lease = await create(get());
    const list = await get().request('GET', `${get().leases}?${byName(lease.metadata.name)}`);
    expect(versionOf(list.body)).toBeGreaterThanOrEqual(versionOf(lease));
  });

  it.each([
    ['set=list-1', ['one']],
    ['set!=list-1,set', ['two']],
    ['set in (list-1,list-2)', ['one', 'two']],
    ['set notin (list-1),set', ['two']],
    ['set', ['one', 'two']],
  ])('with labelSelector %p', async (selector, expected) => {
    const prefix = newName();
    for (const [name, set] of [
      ['one', 'list-1'],
      ['two', 'list-2'],
      ['three', undefined],
    ]) {
      const labels = { test: prefix, ...(set && { set }) };
      await create(get(), RECORD, { name: `${prefix}-${String(name)}`, labels });
    }
    const query = encodeURIComponent(`test=${prefix},${selector}`);
    const { body } = await get().request('GET', `${get().leases}?labelSelector=${query}`);
    const names = body.items?.map((item) => item.metadata.name);
    expect(names).toEqual(expected.map((name) => `${prefix}-${name}`));
  });

  it('refuses a field selector on the spec with 400', async () => {
    const path = `${get().leases}?fieldSelector=spec.holderIdentity%3Dholder-1`;
    expectFailure(await get().request('GET', path), 400, 'BadRequest');
  });
}

function timeoutConformance(get: GetCluster): void {
  it.each(['5s', '1500ms', '1.5s', '1m30s', '0s'])('%p is taken', async (timeout) => {
    const lease = await create(get());
    const read = await get().request('GET', `${pathOf(get(), lease)}?timeout=${timeout}`);
    expect(read.status).toBe(200);
    const body = { ...lease, spec: { ...RECORD, leaseTransitions: 2 } };
    const path = `${pathOf(get(), lease)}?timeout=${timeout}`;
    expect((await get().request('PUT', path, body)).status).toBe(200);
  });

  it.each(['5', 'abc', '5%20s'])('%p: 400, nothing written', async (timeout) => {
    const lease = await create(get());
    const body = { ...lease, spec: { ...RECORD, leaseTransitions: 2 } };
    const path = `${pathOf(get(), lease)}?timeout=${timeout}`;
    const response = await get().request('PUT', path, body);
    expect(response).toMatchObject({ status: 400 });
    expect(JSON.stringify(response.body)).toContain('invalid timeout specified');
    expect((await get().request('GET', pathOf(get(), lease))).body).toEqual(lease);
  });
}

function byName(name: string): string {
  return `fieldSelector=metadata.name%3D${name}`;
}
