import { describe, expect, it } from '@jest/globals';
import { create, expectFailure, leaseBody, newName, pathOf, put } from './lease.js';
import type { GetCluster } from './lease.js';

/** Who may do what, and how a refusal reads. */
export function accessConformance(get: GetCluster): void {
  it('401 Unauthorized for an unknown token', async () => {
    const client = get().clientWith('an-unknown-token');
    const response = await client.request('GET', `${get().leases}/any`);
    expectFailure(response, 401, 'Unauthorized', { message: 'Unauthorized' });
  });

  describe('403 Forbidden', () => forbiddenConformance(get));
}

function forbiddenConformance(get: GetCluster): void {
  it.each([
    ['GET', 'get', true],
    ['PUT', 'update', true],
    ['DELETE', 'delete', true],
    ['GET', 'list', false],
    ['POST', 'create', false],
  ])('%s: names the user, the verb %p and the namespace', async (method, verb, named) => {
    const user = await get().newUser();
    const lease = await create(get());
    const path = named ? pathOf(get(), lease) : get().leases;
    const body = method === 'PUT' || method === 'POST' ? lease : undefined;
    const response = await get().clientWith(user.token).request(method, path, body);
    const object = named ? ` "${lease.metadata.name}"` : '';
    expectFailure(response, 403, 'Forbidden', {
      message:
        `leases.coordination.k8s.io${object} is forbidden: User "${user.name}" cannot ${verb} ` +
        `resource "leases" in API group "coordination.k8s.io" in the namespace "${get().namespace}"`,
      details: { group: 'coordination.k8s.io', kind: 'leases' },
    });
  });

  it.each([
    ['', ''],
    ['&fieldSelector=metadata.name%3Dsome', ' "some"'],
  ])('watch%s: a status, no stream', async (selector, object) => {
    const user = await get().newUser();
    const watch = await get().clientWith(user.token).watch(`${get().leases}?watch=true${selector}`);
    expect(watch.status).toBe(403);
    expect(await watch.next()).toMatchObject({
      ...{ kind: 'Status', code: 403, reason: 'Forbidden' },
      message: expect.stringContaining(
        `leases.coordination.k8s.io${object} is forbidden: User "${user.name}" cannot watch`,
      ),
    });
  });

  it('ends with the grant of a verb, and a PUT that creates needs create', async () => {
    const user = await get().newUser();
    const client = get().clientWith(user.token);
    const lease = await create(get());
    await user.grant(['get', 'update']);
    expect(await client.request('GET', pathOf(get(), lease))).toMatchObject({ status: 200 });
    expect(await client.request('PUT', pathOf(get(), lease), lease)).toMatchObject({ status: 200 });
    const absent = leaseBody(newName());
    const refused = await client.request('PUT', pathOf(get(), absent), absent);
    expectFailure(refused, 403, 'Forbidden', { message: 'cannot create resource "leases"' });
    await user.grant(['update', 'create']);
    expect(await client.request('PUT', pathOf(get(), absent), absent)).toMatchObject({
      status: 201,
    });
    expect(await client.request('GET', pathOf(get(), lease))).toMatchObject({ status: 403 });
    expect(await put(get(), lease)).toMatchObject({ status: 200 });
  });
}
