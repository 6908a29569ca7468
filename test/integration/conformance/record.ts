import { describe, expect, it } from '@jest/globals';
import { create, expectFailure, leaseBody, newName, RECORD, update, without } from './lease.js';
import type { GetCluster } from './lease.js';

const INVALID_NAMES = ['UPPER', 'under_score', '-dash', 'dash-', 'two..dots', 'a'.repeat(254)];
const TIMES_REFUSED = [
  '2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05.123Z',
  '2026-01-02T03:04:05.123456789Z',
  '2026-01-02 03:04:05.123456Z',
  '2026-01-02T03:04:05.123456',
  '',
];

/** What a Lease may contain, and in which form it comes back. */
export function recordConformance(get: GetCluster): void {
  describe('spec', () => specConformance(get));
  describe('MicroTime', () => timeConformance(get));
  describe('name', () => nameConformance(get));
  describe('body', () => bodyConformance(get));
}

function specConformance(get: GetCluster): void {
  it.each([
    ['leaseDurationSeconds', 0, 'must be greater than 0'],
    ['leaseDurationSeconds', -1, 'must be greater than 0'],
    ['leaseTransitions', -1, 'must be greater than or equal to 0'],
  ])('%s %p: 422 with the field', async (field, value, message) => {
    const name = newName();
    const body = leaseBody(name, { ...RECORD, [field]: value });
    expectFailure(await get().request('POST', get().leases, body), 422, 'Invalid', {
      message: `spec.${field}: Invalid value: ${String(value)}: ${message}`,
      details: { name, kind: 'Lease', causes: [{ field: `spec.${field}` }] },
    });
  });

  it.each([
    ['leaseDurationSeconds', 1.5],
    ['leaseDurationSeconds', '15'],
    ['leaseDurationSeconds', 3_000_000_000],
    ['leaseTransitions', 'many'],
    ['holderIdentity', 5],
    ['renewTime', 5],
  ])('%s %p: 400', async (field, value) => {
    const body = leaseBody(newName(), { ...RECORD, [field]: value });
    expectFailure(await get().request('POST', get().leases, body), 400, 'BadRequest', {
      message: `Lease in version "v1" cannot be handled as a Lease`,
    });
  });

  it('refuses the same things in an update', async () => {
    const lease = await create(get());
    const path = `${get().leases}/${lease.metadata.name}`;
    const wrong = { ...lease, spec: { ...RECORD, leaseDurationSeconds: 0 } };
    expectFailure(await get().request('PUT', path, wrong), 422, 'Invalid');
  });

  it('treats null as absent, and keeps an empty holder', async () => {
    const nothing = Object.fromEntries(Object.keys(RECORD).map((field) => [field, null]));
    expect((await create(get(), nothing)).spec).toEqual({});
    expect((await create(get(), { holderIdentity: '' })).spec).toEqual({ holderIdentity: '' });
  });

  it('stores a half of a character as U+FFFD, a whole one as it is', async () => {
    const annotations = { cut: 'pod-\ud83d', low: '\ude00x', whole: '\u{1f600}' };
    const lease = await create(get(), { ...RECORD, holderIdentity: 'pod-\ud83d' }, { annotations });
    expect(lease.spec?.['holderIdentity']).toBe('pod-\ufffd');
    const stored = { cut: 'pod-\ufffd', low: '\ufffdx', whole: '\u{1f600}' };
    expect(lease.metadata.annotations).toEqual(stored);
  });

  it('takes a Lease without a spec', async () => {
    const body = leaseBody(newName(), undefined);
    const response = await get().request('POST', get().leases, { ...body, spec: undefined });
    expect(response).toMatchObject({ status: 201, body: { spec: {} } });
  });

  it('drops an unknown field of the spec with a warning', async () => {
    const body = leaseBody(newName(), { ...RECORD, mood: 'good' });
    const response = await get().request('POST', get().leases, body);
    expect(response).toMatchObject({
      status: 201,
      headers: { warning: '299 - "unknown field \\"spec.mood\\""' },
    });
    expect(response.body.spec).toEqual(RECORD);
  });

  it('forgets a field that an update leaves out', async () => {
    const lease = await create(get());
    const spec = { leaseTransitions: undefined, acquireTime: undefined };
    const rest = without(RECORD, 'leaseTransitions', 'acquireTime');
    expect((await update(get(), lease, spec)).spec).toEqual(rest);
  });
}

function timeConformance(get: GetCluster): void {
  it.each(TIMES_REFUSED)('%p: 400', async (renewTime) => {
    const body = leaseBody(newName(), { ...RECORD, renewTime });
    const response = await get().request('POST', get().leases, body);
    expectFailure(response, 400, 'BadRequest', { message: `parsing time "${renewTime}"` });
  });

  it.each([
    ['2026-01-02T03:04:05.000000Z', '2026-01-02T03:04:05.000000Z'],
    ['2026-01-02T03:04:05.123456+02:00', '2026-01-02T01:04:05.123456Z'],
    ['2026-01-01T23:30:00.000001-01:30', '2026-01-02T01:00:00.000001Z'],
  ])('%p comes back as %p', async (sent, received) => {
    const lease = await create(get(), { ...RECORD, renewTime: sent });
    expect(lease.spec).toMatchObject({ renewTime: received });
  });
}

function nameConformance(get: GetCluster): void {
  it.each(INVALID_NAMES)('%p: 422', async (name) => {
    const response = await get().request('POST', get().leases, leaseBody(name));
    expectFailure(response, 422, 'Invalid', {
      message: 'metadata.name: Invalid value',
      details: { causes: [{ field: 'metadata.name' }] },
    });
  });

  it('none at all: 422', async () => {
    const response = await get().request('POST', get().leases, leaseBody(undefined));
    expectFailure(response, 422, 'Invalid', { message: 'name or generateName is required' });
  });

  it('takes 253 characters, and dots', async () => {
    await create(get(), RECORD, { name: 'b'.repeat(253) });
    await create(get(), RECORD, { name: 'a.b-c.0' });
  });

  it('one that is not valid is simply not found', async () => {
    const response = await get().request('GET', `${get().leases}/UPPER`);
    expectFailure(response, 404, 'NotFound');
  });
}

function bodyConformance(get: GetCluster): void {
  it('that is no JSON: 400', async () => {
    expectFailure(await get().request('POST', get().leases, '{nope'), 400, 'BadRequest');
  });

  it('of another kind: 400', async () => {
    const body = { ...leaseBody(newName()), kind: 'Pod', apiVersion: 'v1' };
    expectFailure(await get().request('POST', get().leases, body), 400, 'BadRequest');
  });

  it('of another media type: 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await get().request('POST', get().leases, leaseBody(newName()), headers);
    expectFailure(response, 415, 'UnsupportedMediaType');
  });

  it('without kind and apiVersion is a Lease', async () => {
    const response = await get().request('POST', get().leases, { metadata: { name: newName() } });
    expect(response).toMatchObject({
      status: 201,
      body: { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1' },
    });
  });
}
