import { describe, expect, it } from '@jest/globals';
import { create, expectFailure, pathOf, RECORD, STRANGE_UID, update, versionOf } from './lease.js';
import type { GetCluster } from './lease.js';

const MERGE = { 'content-type': 'application/merge-patch+json' };

/** Deletion with preconditions, and the patches with which others edit a Lease. */
export function editConformance(get: GetCluster): void {
  describe('DELETE', () => deleteConformance(get));
  describe('merge patch', () => patchConformance(get));
}

function deleteConformance(get: GetCluster): void {
  it('answers 200 with a Status that names what was deleted', async () => {
    const lease = await create(get());
    const response = await get().request('DELETE', pathOf(get(), lease));
    expect(response).toMatchObject({
      status: 200,
      body: {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Success',
        details: { uid: lease.metadata.uid },
      },
    });
    expect(await get().request('GET', pathOf(get(), lease))).toMatchObject({ status: 404 });
  });

  it('with matching preconditions deletes', async () => {
    const lease = await create(get());
    const preconditions = {
      uid: lease.metadata.uid,
      resourceVersion: lease.metadata.resourceVersion,
    };
    const response = await get().request('DELETE', pathOf(get(), lease), { preconditions });
    expect(response).toMatchObject({ status: 200, body: { status: 'Success' } });
  });

  it('with another uid: 409 Conflict, nothing deleted', async () => {
    const lease = await create(get());
    const preconditions = { uid: STRANGE_UID, resourceVersion: lease.metadata.resourceVersion };
    const response = await get().request('DELETE', pathOf(get(), lease), { preconditions });
    expectFailure(response, 409, 'Conflict', { message: 'does not match the UID in record' });
    expect(await get().request('GET', pathOf(get(), lease))).toMatchObject({ status: 200 });
  });

  it('with an old version: 409 Conflict, nothing deleted', async () => {
    const lease = await create(get());
    await update(get(), lease, { leaseTransitions: 2 });
    const preconditions = {
      uid: lease.metadata.uid,
      resourceVersion: lease.metadata.resourceVersion,
    };
    const response = await get().request('DELETE', pathOf(get(), lease), { preconditions });
    expectFailure(response, 409, 'Conflict', { message: 'does not match the ResourceVersion' });
    expect(await get().request('GET', pathOf(get(), lease))).toMatchObject({ status: 200 });
  });

  it('of what is not there: 404, also with preconditions', async () => {
    for (const body of [undefined, { preconditions: { uid: STRANGE_UID } }]) {
      const response = await get().request('DELETE', `${get().leases}/none`, body);
      expectFailure(response, 404, 'NotFound');
    }
  });
}

function patchConformance(get: GetCluster): void {
  it('changes what it names, removes what it names as null, keeps the rest', async () => {
    const lease = await create(get(), RECORD, { labels: { keep: '1', drop: '2' } });
    const patch = { metadata: { labels: { drop: null, add: '3' } }, spec: { holderIdentity: '' } };
    const response = await get().request('PATCH', pathOf(get(), lease), patch, MERGE);
    expect(response).toMatchObject({
      status: 200,
      body: { spec: { ...RECORD, holderIdentity: '' } },
    });
    expect(response.body.metadata.labels).toEqual({ keep: '1', add: '3' });
    expect(versionOf(response.body)).toBeGreaterThan(versionOf(lease));
  });

  it('with an old version in it: 409 Conflict', async () => {
    const lease = await create(get());
    await update(get(), lease, { leaseTransitions: 2 });
    const patch = {
      metadata: { resourceVersion: lease.metadata.resourceVersion },
      spec: { leaseTransitions: 3 },
    };
    const response = await get().request('PATCH', pathOf(get(), lease), patch, MERGE);
    expectFailure(response, 409, 'Conflict');
  });

  it('onto what is not there: 404', async () => {
    const response = await get().request('PATCH', `${get().leases}/none`, {}, MERGE);
    expectFailure(response, 404, 'NotFound');
  });
}
