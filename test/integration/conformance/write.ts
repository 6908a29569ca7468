import { describe, expect, it } from '@jest/globals';
import {
  casBody,
  create,
  expectFailure,
  leaseBody,
  newName,
  pathOf,
  put,
  RECORD,
  remove,
  STRANGE_UID,
  update,
  versionOf,
  without,
} from './lease.js';
import type { GetCluster } from './lease.js';

const MODIFIED = 'the object has been modified';
const FOREIGN_UID = 'Precondition failed: UID in precondition';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Creating a Lease, and the PUT matrix: what is written when. */
export function writeConformance(get: GetCluster): void {
  describe('create', () => createConformance(get));
  describe('update', () => updateConformance(get));
  describe('update of what is not there', () => absentConformance(get));
  describe('resourceVersion', () => versionConformance(get));
}

function createConformance(get: GetCluster): void {
  it('answers 201 with the whole object and what the server adds to it', async () => {
    const name = newName();
    const response = await get().request('POST', get().leases, leaseBody(name));
    expect(response).toMatchObject({
      status: 201,
      headers: { 'content-type': 'application/json' },
    });
    const { metadata, ...rest } = response.body;
    expect(rest).toEqual({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: RECORD });
    expect(metadata).toMatchObject({
      name,
      namespace: get().namespace,
      uid: expect.stringMatching(UUID),
      resourceVersion: expect.stringMatching(/^[1-9][0-9]*$/),
      creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
  });

  it('gives its own uid and creationTimestamp whatever the body says', async () => {
    const given = { uid: STRANGE_UID, creationTimestamp: '2001-01-01T00:00:00Z' };
    const made = await create(get(), RECORD, given);
    expect(made.metadata).not.toMatchObject({ uid: given.uid });
    expect(made.metadata).not.toMatchObject({ creationTimestamp: given.creationTimestamp });
  });

  it('refuses a second one of the same name with 409 AlreadyExists', async () => {
    const first = await create(get());
    const name = first.metadata.name;
    const second = await get().request('POST', get().leases, leaseBody(name));
    expectFailure(second, 409, 'AlreadyExists', {
      message: `leases.coordination.k8s.io "${name}" already exists`,
      details: { name, group: 'coordination.k8s.io', kind: 'leases' },
    });
  });

  it('does so for one of two that are sent at once', async () => {
    const name = newName();
    const both = [1, 2].map(() => get().request('POST', get().leases, leaseBody(name)));
    const statuses = (await Promise.all(both)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([201, 409]);
  });

  it('refuses a namespace in the body that is not the one of the path with 400', async () => {
    const body = leaseBody(newName(), RECORD, { namespace: 'another' });
    expectFailure(await get().request('POST', get().leases, body), 400, 'BadRequest');
  });
}

function updateConformance(get: GetCluster): void {
  it('uid and current version: 200, a new version, the same uid', async () => {
    const lease = await create(get());
    const response = await put(get(), casBody(lease, { holderIdentity: 'holder-2' }));
    expect(response).toMatchObject({
      status: 200,
      body: {
        metadata: { uid: lease.metadata.uid },
        spec: { ...RECORD, holderIdentity: 'holder-2' },
      },
    });
    expect(versionOf(response.body)).toBeGreaterThan(versionOf(lease));
    expect((await get().request('GET', pathOf(get(), lease))).body).toEqual(response.body);
  });

  it('uid and an old version: 409 Conflict, nothing written', async () => {
    const lease = await create(get());
    const newer = await update(get(), lease, { leaseTransitions: 2 });
    const response = await put(get(), casBody(lease, { leaseTransitions: 3 }));
    expectFailure(response, 409, 'Conflict', { message: MODIFIED, details: { kind: 'leases' } });
    expect((await get().request('GET', pathOf(get(), lease))).body).toEqual(newer);
  });

  it('lets one of several writers of the same version through', async () => {
    const lease = await create(get());
    const writes = [2, 3, 4, 5].map((leaseTransitions) =>
      put(get(), casBody(lease, { leaseTransitions })),
    );
    const statuses = (await Promise.all(writes)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 409, 409, 409]);
  });

  it('another uid: 409 Conflict, also with the current version', async () => {
    const lease = await create(get());
    const response = await put(get(), casBody(lease, {}, { uid: STRANGE_UID }));
    expectFailure(response, 409, 'Conflict', { message: FOREIGN_UID });
  });

  it('no uid but the current version: 200; no uid and an old version: 409', async () => {
    const lease = await create(get());
    const body = casBody(lease, { leaseTransitions: 2 }, { uid: undefined });
    expect(await put(get(), body)).toMatchObject({ status: 200 });
    expectFailure(await put(get(), body), 409, 'Conflict', { message: MODIFIED });
  });

  it('no version: 422, with a uid or without', async () => {
    const lease = await create(get());
    for (const uid of [lease.metadata.uid, undefined]) {
      const response = await put(get(), casBody(lease, {}, { uid, resourceVersion: undefined }));
      expectFailure(response, 422, 'Invalid', {
        message: 'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      });
    }
  });

  it('a name in the body that is not the one of the path: 400', async () => {
    const lease = await create(get());
    const response = await get().request('PUT', pathOf(get(), lease), leaseBody(newName()));
    expectFailure(response, 400, 'BadRequest', { message: 'does not match the name on the URL' });
  });

  it('identical content: 200 with the old version, nothing written', async () => {
    const lease = await create(get(), RECORD, { labels: { app: 'a' } });
    const metadata = without(lease.metadata, 'managedFields');
    for (const body of [lease, { ...lease, metadata }]) {
      expect(await put(get(), body)).toMatchObject({ status: 200, body: lease });
    }
  });
}

function absentConformance(get: GetCluster): void {
  it('uid of one deleted: 409 Conflict', async () => {
    const lease = await create(get());
    await remove(get(), lease);
    expectFailure(await put(get(), casBody(lease)), 409, 'Conflict', { message: FOREIGN_UID });
  });

  it('uid of one deleted and made again: 409 Conflict, with the old version and the new', async () => {
    const lease = await create(get());
    await remove(get(), lease);
    const again = await create(get(), RECORD, { name: lease.metadata.name });
    expect(again.metadata.uid).not.toBe(lease.metadata.uid);
    for (const resourceVersion of [
      lease.metadata.resourceVersion,
      again.metadata.resourceVersion,
    ]) {
      const response = await put(get(), casBody(lease, {}, { resourceVersion }));
      expectFailure(response, 409, 'Conflict', { message: FOREIGN_UID });
    }
  });

  it('no uid: 201, made again, whatever the version says', async () => {
    const lease = await create(get());
    for (const resourceVersion of [lease.metadata.resourceVersion, '1', undefined]) {
      await remove(get(), lease);
      const response = await put(get(), casBody(lease, {}, { uid: undefined, resourceVersion }));
      expect(response).toMatchObject({ status: 201, body: { spec: RECORD } });
      expect(response.body.metadata.uid).not.toBe(lease.metadata.uid);
    }
  });
}

function versionConformance(get: GetCluster): void {
  it('is decimal and grows over all Leases, deletion and re-creation', async () => {
    const one = await create(get());
    const two = await create(get());
    const three = await update(get(), one, { leaseTransitions: 2 });
    await remove(get(), two);
    const four = await create(get(), RECORD, { name: two.metadata.name });
    const versions = [one, two, three, four].map((lease) => versionOf(lease));
    expect(versions).toEqual([...versions].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(versions).size).toBe(4);
    // The deletion takes a version of its own.
    expect(versionOf(four) - versionOf(three)).toBeGreaterThan(1n);
  });
}
