/** From a decoded body to the Lease that is stored. */
import type { DecodedLease } from './decode.js';
import { updateManagedFields } from './managed.js';
import { API_VERSION } from './types.js';
import type { LeaseMetadata, LeaseObject, LeaseSpec, ManagedFieldsEntry } from './types.js';

/** Ownership that is not tracked (created empty, or reset) stays untracked: updates do not start it. */
export function ownersAfter(
  existing: LeaseObject,
  decoded: DecodedLease,
  spec: LeaseSpec,
  manager: string,
  now: Date,
): ManagedFieldsEntry[] {
  const stored = existing.metadata.managedFields ?? [];
  const base = decoded.resetsManagedFields ? [] : (decoded.metadata.managedFields ?? stored);
  if (base.length === 0) return [];
  const after = { metadata: decoded.metadata, spec };
  return updateManagedFields(base, existing, after, manager, now);
}

/** Fields of a feature that is off by default: kept where they are, not let in. */
export function withoutGated(spec: LeaseSpec, stored: LeaseSpec): LeaseSpec {
  const { strategy, preferredHolder, ...rest } = spec;
  return {
    ...rest,
    ...(typeof stored.strategy === 'string' ? { strategy } : {}),
    ...(typeof stored.preferredHolder === 'string' ? { preferredHolder } : {}),
  };
}

/** Keys in the order of the real encoder; what is absent must not be there as `undefined`. */
export function assemble(
  decoded: DecodedLease,
  spec: LeaseSpec,
  system: Pick<LeaseMetadata, 'name' | 'namespace' | 'uid' | 'resourceVersion'> & {
    readonly creationTimestamp: string;
    readonly managedFields: ManagedFieldsEntry[];
  },
): LeaseObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp, managedFields } = system;
  const { generateName, labels, annotations, ownerReferences, finalizers } = decoded.metadata;
  const metadata = {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(managedFields.length === 0 ? {} : { managedFields }),
  };
  return { kind: 'Lease', apiVersion: API_VERSION, metadata, spec };
}

/** Equal for Leases whose difference is not worth a write. */
export function comparable(lease: LeaseObject): string {
  const { managedFields = [], ...metadata } = lease.metadata;
  const owners = managedFields.map((entry) => ({ ...entry, time: '' }));
  return JSON.stringify([metadata, owners, lease.spec]);
}
