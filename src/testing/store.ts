/** The stored Leases, their versions and their history. Knows nothing of HTTP, rules or faults. */
import type { LeaseObject } from './types.js';

export interface LeaseKey {
  readonly namespace: string;
  readonly name: string;
}

/** One change. `object` carries the version of the change, also when it is a deletion. */
export interface StoreEvent {
  readonly version: bigint;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: LeaseObject;
  readonly previous: LeaseObject | undefined;
}

const historyLimit = 10_000;

export class Store {
  readonly #objects = new Map<string, LeaseObject>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #history: StoreEvent[] = [];
  #version: bigint;
  /** A watch can continue from this version or a later one. */
  #oldest: bigint;
  #writes = 0;

  constructor(initialVersion: bigint) {
    this.#version = initialVersion;
    this.#oldest = initialVersion;
  }

  get version(): bigint {
    return this.#version;
  }

  get oldest(): bigint {
    return this.#oldest;
  }

  get(key: LeaseKey): LeaseObject | undefined {
    return this.#objects.get(pathOf(key));
  }

  /** In the order of their paths, as the real server lists them. */
  list(namespace: string | undefined): LeaseObject[] {
    return [...this.#objects.entries()]
      .filter(([, lease]) => namespace === undefined || lease.metadata.namespace === namespace)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, lease]) => lease);
  }

  /** Stores the Lease under a new version and tells the listeners before it returns. */
  put(lease: LeaseObject): LeaseObject {
    const previous = this.get(lease.metadata);
    const version = this.#nextVersion();
    const object = withVersion(lease, version);
    this.#objects.set(pathOf(lease.metadata), object);
    this.#emit({ version, type: previous === undefined ? 'ADDED' : 'MODIFIED', object, previous });
    return object;
  }

  remove(key: LeaseKey): LeaseObject | undefined {
    const previous = this.get(key);
    if (previous === undefined) return undefined;
    const version = this.#nextVersion();
    this.#objects.delete(pathOf(key));
    this.#emit({ version, type: 'DELETED', object: withVersion(previous, version), previous });
    return previous;
  }

  /** Replaces what is stored without a version or an event of its own. */
  corrupt(key: LeaseKey, lease: LeaseObject): void {
    this.#objects.set(pathOf(key), freeze(lease));
  }

  /** The changes after `version`, or null when some of them are forgotten. */
  since(version: bigint): readonly StoreEvent[] | null {
    if (version < this.#oldest) return null;
    return this.#history.filter((event) => event.version > version);
  }

  /** The newest `count` changes, or as many as are remembered. */
  latest(count: number): readonly StoreEvent[] {
    return count === 0 ? [] : this.#history.slice(-count);
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Forgets the history. The version moves, so that even a reader who missed nothing is too old. */
  compact(): void {
    this.#version += 1n;
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Every third write leaves a gap: in a cluster the counter serves other objects too. */
  #nextVersion(): bigint {
    this.#writes += 1;
    this.#version += this.#writes % 3 === 0 ? 4n : 1n;
    return this.#version;
  }

  #emit(event: StoreEvent): void {
    this.#history.push(event);
    if (this.#history.length > 2 * historyLimit) {
      const forgotten = this.#history.splice(0, historyLimit);
      this.#oldest = forgotten.at(-1)?.version ?? this.#oldest;
    }
    for (const listener of [...this.#listeners]) listener(event);
  }
}

function pathOf({ namespace, name }: LeaseKey): string {
  return `${namespace}/${name}`;
}

function withVersion(lease: LeaseObject, version: bigint): LeaseObject {
  const metadata = { ...lease.metadata, resourceVersion: String(version) };
  return freeze({ ...lease, metadata });
}

/** Stored objects are shared between the store, its history and every watch. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) freeze(child);
  }
  return value;
}
