import { random } from '../../unit/protocol/world.js';

/** Chance that a seed decides. */
export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = random(seed);
  }

  /** From 0 up to 1. */
  readonly next = (): number => this.#next();

  is(probability: number): boolean {
    return this.#next() < probability;
  }

  between(least: number, most: number): number {
    return least + this.#next() * (most - least);
  }

  /** Whole, from `least` up to and with `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  pick<T>(from: readonly T[]): T {
    const one = from[Math.floor(this.#next() * from.length)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }
}
