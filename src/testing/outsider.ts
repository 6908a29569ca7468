/** Reading and writing Leases behind the API's back. */
import { randomUUID } from 'node:crypto';
import type { ServerClock } from './clock.js';
import { updateManagedFields, wholeSeconds } from './managed.js';
import type { LeaseKey, Store } from './store.js';
import { API_VERSION } from './types.js';
import type { LeaseMetadata, LeaseObject, LeaseSpec } from './types.js';

/** What a new Lease must say; the rest is filled in. */
export interface NewLease {
  readonly metadata: Partial<LeaseMetadata> & { readonly name: string };
  readonly spec?: LeaseSpec | undefined;
}

const manager = 'outsider';

/**
 * The stored Leases, for assertions and for playing the other client. Writes get a version and an event like any
 * other, but no rule is checked, no field dropped and no fault met: also records that no API server would accept
 * can be planted.
 */
export class Outsider {
  readonly #store: Store;
  readonly #clock: ServerClock;

  /** @internal */
  constructor(store: Store, clock: ServerClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A copy of the stored Lease. */
  get(namespace: string, name: string): LeaseObject | undefined {
    return structuredClone(this.#store.get({ namespace, name }));
  }

  /** Copies, sorted by name; without a namespace those of all. */
  list(namespace?: string): LeaseObject[] {
    return structuredClone(this.#store.list(namespace));
  }

  /** `metadata.namespace` is `default` unless given. Throws when the Lease exists. */
  create(lease: NewLease): LeaseObject {
    const { name, namespace = 'default', ...given } = structuredClone(lease.metadata);
    const spec = structuredClone(lease.spec ?? {});
    if (this.#store.get({ namespace, name }) !== undefined) {
      throw new Error(`lease ${namespace}/${name} exists already`);
    }
    const now = new Date(this.#clock.wall());
    const metadata = {
      name,
      namespace,
      uid: randomUUID(),
      resourceVersion: '',
      creationTimestamp: wholeSeconds(now),
      ...given,
      managedFields:
        given.managedFields ??
        updateManagedFields([], undefined, { metadata: given, spec }, manager, now),
    };
    return this.#put({ kind: 'Lease', apiVersion: API_VERSION, metadata, spec });
  }

  /**
   * Changes a copy in place and stores it. Name, namespace and version are not the mutator's to change.
   * Throws when there is no such Lease.
   */
  edit(namespace: string, name: string, mutate: (lease: LeaseObject) => void): LeaseObject {
    const before = this.#existing({ namespace, name });
    const after = structuredClone(before);
    mutate(after);
    const base = after.metadata.managedFields ?? [];
    const managedFields = updateManagedFields(
      base,
      before,
      after,
      manager,
      new Date(this.#clock.wall()),
    );
    const metadata = { ...after.metadata, name, namespace, managedFields };
    return this.#put({ ...after, metadata });
  }

  /** Throws when there is no such Lease. */
  delete(namespace: string, name: string): void {
    this.#existing({ namespace, name });
    this.#store.remove({ namespace, name });
  }

  /**
   * Changes what is stored in any way, `metadata.resourceVersion` included, without a version or an event of its
   * own. Throws when there is no such Lease.
   */
  corrupt(namespace: string, name: string, mutate: (lease: LeaseObject) => void): void {
    const lease = structuredClone(this.#existing({ namespace, name }));
    mutate(lease);
    this.#store.corrupt({ namespace, name }, lease);
  }

  #existing(key: LeaseKey): LeaseObject {
    const lease = this.#store.get(key);
    if (lease === undefined) throw new Error(`lease ${key.namespace}/${key.name} does not exist`);
    return lease;
  }

  #put(lease: LeaseObject): LeaseObject {
    return structuredClone(this.#store.put(lease));
  }
}
