/** Which namespaces exist. The real server asks this only where something is created. */
import { namespaceNotFound, namespaceTerminating } from './status.js';
import type { LeaseKey } from './store.js';

export class Namespaces {
  /** Null: every namespace exists that was not removed. */
  readonly #known: Set<string> | null;
  readonly #terminating = new Set<string>();
  readonly #removed = new Set<string>();

  constructor(names: readonly string[] | undefined) {
    this.#known = names === undefined ? null : new Set(names);
  }

  /** Throws the refusal that a create in this namespace gets. */
  admitCreate({ namespace, name }: LeaseKey): void {
    const isKnown = this.#known?.has(namespace) ?? true;
    if (!isKnown || this.#removed.has(namespace)) throw namespaceNotFound(namespace);
    if (this.#terminating.has(namespace)) throw namespaceTerminating(namespace, name);
  }

  add(namespace: string): void {
    this.#known?.add(namespace);
    this.#terminating.delete(namespace);
    this.#removed.delete(namespace);
  }

  terminate(namespace: string): void {
    this.#terminating.add(namespace);
  }

  remove(namespace: string): void {
    this.#terminating.delete(namespace);
    this.#removed.add(namespace);
  }
}
