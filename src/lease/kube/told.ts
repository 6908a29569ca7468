/** So many leases of one namespace are remembered; beyond, it starts afresh. */
const REMEMBERED = 10_000;

/**
 * What a watch of a whole namespace has told so far, as versions only: whether one who comes late, knowing a
 * lease as of some version, has missed anything.
 */
export class Told {
  readonly #last = new Map<string, bigint>();
  /** Everything after this version was told; `null` while that is not known. */
  #since: bigint | null = null;

  /** A new beginning from a version, or from a state whose version is unknown. */
  restart(since: bigint | null): void {
    this.#last.clear();
    this.#since = since;
  }

  note(name: string, version: bigint, position: bigint | null): void {
    if (this.#last.size >= REMEMBERED) this.restart(position);
    this.#last.set(name, version);
  }

  /** @param position where the watch stands now */
  covers(name: string, known: bigint | null, position: bigint | null): boolean {
    if (known === null) return false;
    const last = this.#last.get(name);
    if (last !== undefined) return last <= known;
    this.#since ??= position;
    return this.#since !== null && this.#since <= known;
  }
}
