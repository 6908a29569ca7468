import { describe, expect, it } from '@jest/globals';
import { casBody, expectFailure, leaseBody, newName, RECORD } from './lease.js';
import type { GetCluster } from './lease.js';

const NONE = 'no-such-namespace';
/** Keeps a Lease from disappearing with its namespace while a test looks at it. */
const FINALIZERS = ['metaparticle.example/hold'];

/** Leases in a namespace that is not there, or not for long. */
export function namespaceConformance(get: GetCluster): void {
  describe('that does not exist', () => absentConformance(get));
  describe('that terminates', () => terminatingConformance(get));
}

function absentConformance(get: GetCluster): void {
  const leases = (): string => get().leases.replace(get().namespace, NONE);

  it('create: 404 naming the namespace', async () => {
    const response = await get().request('POST', leases(), leaseBody(newName()));
    expectFailure(response, 404, 'NotFound', {
      message: `namespaces "${NONE}" not found`,
      details: { name: NONE, kind: 'namespaces' },
    });
  });

  it('an update that would create: the same', async () => {
    const name = newName();
    const response = await get().request('PUT', `${leases()}/${name}`, leaseBody(name));
    expectFailure(response, 404, 'NotFound', { details: { name: NONE, kind: 'namespaces' } });
  });

  it('GET: 404 naming the Lease', async () => {
    expectFailure(await get().request('GET', `${leases()}/none`), 404, 'NotFound', {
      details: { name: 'none', kind: 'leases' },
    });
  });

  it('list: empty', async () => {
    expect(await get().request('GET', leases())).toMatchObject({
      status: 200,
      body: { items: [] },
    });
  });

  it('watch: open and silent', async () => {
    const watch = await get().watch(`${leases()}?watch=true&resourceVersion=0`);
    expect(watch.status).toBe(200);
    expect(await watch.next(300)).toBe('silent');
    watch.close();
  });
}

function terminatingConformance(get: GetCluster): void {
  it('lets nothing be made and everything be changed', async () => {
    const { name: namespace, leases, terminate } = await get().newNamespace();
    const metadata = { finalizers: FINALIZERS };
    const made = await get().request('POST', leases, leaseBody('old', RECORD, metadata));
    await terminate();
    const refusal = {
      message: `unable to create new content in namespace ${namespace} because it is being terminated`,
      details: { name: 'new', kind: 'leases', causes: [{ reason: 'NamespaceTerminating' }] },
    };
    const body = leaseBody('new');
    expectFailure(await get().request('POST', leases, body), 403, 'Forbidden', refusal);
    expectFailure(await get().request('PUT', `${leases}/new`, body), 403, 'Forbidden', refusal);
    const read = await get().request('GET', `${leases}/old`);
    const renewal = casBody(read.body, { leaseTransitions: 2 }, metadata);
    expect(made.status).toBe(201);
    expect(await get().request('PUT', `${leases}/old`, renewal)).toMatchObject({ status: 200 });
  });
}
