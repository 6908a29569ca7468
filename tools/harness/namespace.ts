import type { LeaseServer } from '../../src/testing/index.js';
import { must } from './raw.js';
import type { RawClient } from './raw.js';

/** A namespace that was made for a test. */
export interface Namespace {
  readonly name: string;
  /** `/apis/coordination.k8s.io/v1/namespaces/NAME/leases` */
  readonly leases: string;
  /** Begins to delete it: nothing can be made in it anymore. Leases that have a finalizer stay. */
  readonly terminate: () => Promise<void>;
  /** Removes it with all it has. */
  readonly remove: () => Promise<void>;
}

export function embeddedNamespace(server: LeaseServer, name: string): Namespace {
  server.createNamespace(name);
  return {
    name,
    leases: leasesOf(name),
    terminate: () => {
      server.terminateNamespace(name);
      return Promise.resolve();
    },
    remove: () => {
      server.removeNamespace(name);
      return Promise.resolve();
    },
  };
}

/** `finalizes` says that no controller manager runs there, which would do that. */
export async function realNamespace(
  admin: RawClient,
  name: string,
  finalizes: boolean,
): Promise<Namespace> {
  const path = `/api/v1/namespaces/${name}`;
  const leases = leasesOf(name);
  await must(admin, 'POST', '/api/v1/namespaces', { metadata: { name } });
  const terminate = async (): Promise<void> => {
    const { status, body } = await admin.request('DELETE', path);
    // Terminating and gone already, on clusters that do that by themselves.
    if (status !== 200 && status !== 404 && status !== 409) throw new Error(JSON.stringify(body));
  };
  const remove = async (): Promise<void> => {
    await removeLeases(admin, leases);
    await terminate();
    if (!finalizes) return;
    const namespace = await must(admin, 'GET', path);
    const spec = { ...namespace.spec, finalizers: [] };
    await must(admin, 'PUT', `${path}/finalize`, { ...namespace, spec });
  };
  return { name, leases, terminate, remove };
}

async function removeLeases(admin: RawClient, leases: string): Promise<void> {
  const { items = [] } = await must(admin, 'GET', leases);
  const patch = { metadata: { finalizers: null } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  for (const { metadata } of items) {
    if (metadata.finalizers === undefined) continue;
    await must(admin, 'PATCH', `${leases}/${metadata.name}`, patch, headers);
  }
  await must(admin, 'DELETE', leases);
}

function leasesOf(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}
