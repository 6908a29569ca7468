import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiObject, Json, ManagedFields } from '../../../tools/harness/raw.js';
import { casBody, create, pathOf, put, RECORD, STRANGE_UID, update, versionOf } from './lease.js';
import type { GetCluster } from './lease.js';

const OWNER = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: STRANGE_UID };
const MORE = {
  labels: { app: 'a' },
  annotations: { 'a.example/b': 'c' },
  ownerReferences: [OWNER],
};
const BY_FIRST = { 'user-agent': 'first/1.0 (test)' };
const BY_SECOND = { 'user-agent': 'second/2.0' };

/** Longer than the grain of `managedFields[].time`, which is whole seconds. */
const NEXT_SECOND_MS = 1_100;

/** Labels and their like, and the server's own stamps of time. */
export function metadataConformance(get: GetCluster): void {
  describe('labels, annotations, owners', () => {
    it('come back as they were written and stay when an update repeats them', async () => {
      const lease = await create(get(), RECORD, MORE);
      expect(lease.metadata).toMatchObject(MORE);
      const later = await update(get(), lease, { leaseTransitions: 2 }, MORE);
      expect(later.metadata).toMatchObject(MORE);
    });

    it('are gone after an update that leaves them out', async () => {
      const lease = await create(get(), RECORD, MORE);
      const { metadata } = await update(get(), lease, {});
      for (const key of Object.keys(MORE)) expect(metadata).not.toHaveProperty(key);
    });

    it('may change alone, which makes a new version', async () => {
      const lease = await create(get(), RECORD, MORE);
      const later = await update(get(), lease, {}, { ...MORE, labels: { app: 'b' } });
      expect(later).toMatchObject({ metadata: { labels: { app: 'b' } }, spec: RECORD });
      expect(versionOf(later)).toBeGreaterThan(versionOf(lease));
    });
  });

  describe('managedFields', () => managedConformance(get));
}

function managedConformance(get: GetCluster): void {
  it('names the writer of renewTime after its user agent', async () => {
    const response = await put(get(), casBody(await create(get()), renewal(1)), BY_FIRST);
    expect(renewer(response.body)).toMatchObject({
      manager: 'first',
      operation: 'Update',
      apiVersion: 'coordination.k8s.io/v1',
      fieldsType: 'FieldsV1',
    });
  });

  it('names it after fieldManager when that is given', async () => {
    const lease = await create(get());
    const path = `${pathOf(get(), lease)}?fieldManager=chosen`;
    const response = await get().request('PUT', path, casBody(lease, renewal(1)), BY_FIRST);
    expect(renewer(response.body)).toMatchObject({ manager: 'chosen' });
  });

  it('has the time of the last change of renewTime, by the clock of the Date header', async () => {
    const lease = await create(get());
    await sleep(NEXT_SECOND_MS);
    const response = await put(get(), casBody(lease, renewal(1)));
    expect(renewedAt(response.body)).toBeGreaterThan(renewedAt(lease));
    expect(Date.parse(response.headers.date ?? '')).toBeGreaterThanOrEqual(
      renewedAt(response.body),
    );
    expect(Date.parse(response.headers.date ?? '') - renewedAt(response.body)).toBeLessThan(3_000);
    const read = await get().request('GET', pathOf(get(), lease));
    expect(renewedAt(read.body)).toBe(renewedAt(response.body));
  });

  it('stays when the version moves without a change of renewTime by its writer', async () => {
    const lease = (await put(get(), casBody(await create(get()), renewal(1)), BY_FIRST)).body;
    await sleep(NEXT_SECOND_MS);
    const edit = casBody(lease, {}, { labels: { by: 'second' } });
    const edited = (await put(get(), edit, BY_SECOND)).body;
    expect(versionOf(edited)).toBeGreaterThan(versionOf(lease));
    expect(renewer(edited)).toEqual(renewer(lease));
  });

  it('passes to another writer with renewTime, the unchanged fields do not', async () => {
    const lease = (await put(get(), casBody(await create(get()), renewal(1)), BY_FIRST)).body;
    const later = (await put(get(), casBody(lease, renewal(2)), BY_SECOND)).body;
    expect(renewer(later)).toMatchObject({ manager: 'second', fieldsV1: { 'f:spec': {} } });
    expect(renewer(later)?.fieldsV1).toEqual({ 'f:spec': { 'f:renewTime': {} } });
  });

  it('is kept by an update that leaves it out, and moves on in one that repeats it', async () => {
    const lease = await create(get());
    await sleep(NEXT_SECOND_MS);
    const { managedFields } = lease.metadata;
    const response = await put(get(), casBody(lease, renewal(1), { managedFields }));
    expect(renewedAt(response.body)).toBeGreaterThan(renewedAt(lease));
  });
}

function renewal(second: number): Json {
  return { renewTime: `2026-01-02T03:05:0${second}.000000Z` };
}

/** The entry that owns renewTime. */
function renewer({ metadata }: ApiObject): ManagedFields | undefined {
  return metadata.managedFields?.find(
    ({ fieldsV1 }) => 'f:renewTime' in (fieldsV1['f:spec'] ?? {}),
  );
}

function renewedAt(lease: ApiObject): number {
  return Date.parse(renewer(lease)?.time ?? 'never');
}
