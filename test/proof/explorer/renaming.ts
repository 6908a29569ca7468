/**
 * What makes two worlds the same world: nothing in the protocol depends on how great a version is, only on
 * which is greater; nor on a stamp that no write of now could repeat, only on whether two are equal.
 */
import type { Lease } from '../../../src/lease/record.js';

/** Versions and tokens become their rank. Each version of the register is one object, told once. */
export class Versions {
  readonly #ranks = new Int16Array(8_192);
  readonly #leases: (Lease | undefined)[] = [];
  #greatest = 0;

  reset(greatest: number): void {
    this.#ranks.fill(0, 0, this.#greatest + 1);
    this.#leases.length = 0;
    this.#greatest = greatest;
    this.note(0n);
  }

  note(version: bigint): void {
    const at = Number(version);
    if (at > this.#greatest) this.#greatest = at;
    this.#ranks[at] = 1;
  }

  noteLease(lease: Lease): void {
    this.note(lease.version!);
    if (lease.mark !== null) this.note(lease.mark.token);
    this.#leases[Number(lease.version)] = lease;
  }

  eachLease(tell: (lease: Lease) => void): void {
    this.#leases.forEach((lease) => tell(lease!));
  }

  /** Gives the ranks; calls back for each lease, in the order of versions. */
  rank(tell: (rank: number, lease: Lease) => void): number {
    let next = 0;
    for (let at = 0; at <= this.#greatest; at++) {
      if (this.#ranks[at] === 0) continue;
      this.#ranks[at] = next++;
    }
    this.#leases.forEach((lease, at) => tell(this.#ranks[at]!, lease!));
    return next;
  }

  of(version: bigint): number {
    return this.#ranks[Number(version)]!;
  }
}

/** Stamps relative to the wall clock; those that no new write can come near keep their order alone. */
export class Stamps {
  readonly #old: number[] = [];
  #wall = 0;
  #threshold = 0;

  reset(wall: number, threshold: number): void {
    this.#old.length = 0;
    this.#wall = wall;
    this.#threshold = threshold;
  }

  /** Newest first, each once. */
  note(stamp: number): void {
    const relative = stamp - this.#wall;
    if (relative > this.#threshold) return;
    let at = 0;
    while (at < this.#old.length && this.#old[at]! > relative) at++;
    if (this.#old[at] !== relative) this.#old.splice(at, 0, relative);
  }

  of(stamp: number): number {
    const relative = stamp - this.#wall;
    if (relative > this.#threshold) return relative;
    return this.#threshold - this.#old.indexOf(relative);
  }

  /** The last stamp of an attempt is only ever counted on from. */
  last(stamp: number): number {
    return Math.max(stamp - this.#wall, this.#threshold);
  }
}

/** Numbers of which only equality and order are asked. */
export class Ranks {
  readonly #known: number[] = [];

  reset(): void {
    this.#known.length = 0;
  }

  note(value: number): void {
    let at = 0;
    while (at < this.#known.length && this.#known[at]! < value) at++;
    if (this.#known[at] !== value) this.#known.splice(at, 0, value);
  }

  of(value: number): number {
    return this.#known.indexOf(value);
  }
}
