/**
 * The set of states met: 64 bits of hash for each, in an open-addressed table of two typed arrays. Two
 * different states share 64 bits with probability n² / 2⁶⁵: below one in 300,000 for ten million of them.
 */
export class Visited {
  size = 0;
  #low: Uint32Array;
  #high: Uint32Array;
  #mask: number;

  constructor(bits = 16) {
    this.#low = new Uint32Array(2 ** bits);
    this.#high = new Uint32Array(2 ** bits);
    this.#mask = 2 ** bits - 1;
  }

  /** @returns whether it was new; `hash` says of what */
  add({ low, high }: Hash): boolean {
    if (!this.#insert(low, high)) return false;
    this.size += 1;
    if (this.size * 5 > this.#low.length * 3) this.#grow();
    return true;
  }

  #insert(low: number, high: number): boolean {
    for (let at = low & this.#mask; ; at = (at + 1) & this.#mask) {
      if (this.#low[at] === 0 && this.#high[at] === 0) {
        this.#low[at] = low;
        this.#high[at] = high;
        return true;
      }
      if (this.#low[at] === low && this.#high[at] === high) return false;
    }
  }

  #grow(): void {
    const [low, high] = [this.#low, this.#high];
    this.#low = new Uint32Array(low.length * 2);
    this.#high = new Uint32Array(low.length * 2);
    this.#mask = low.length * 2 - 1;
    for (let at = 0; at < low.length; at++) {
      if (low[at] !== 0 || high[at] !== 0) this.#insert(low[at]!, high[at]!);
    }
  }
}

/** Two independent 32-bit hashes; never both zero. */
export class Hash {
  low = 0;
  high = 0;

  of(words: Int16Array, length: number): this {
    let low = 0x9e3779b9 ^ length;
    let high = 0x85ebca6b + length;
    for (let at = 0; at < length; at++) {
      const word = words[at]!;
      low = Math.imul(low ^ word, 0xcc9e2d51);
      low = (low ^ (low >>> 15)) | 0;
      high = Math.imul(high + word, 0x1b873593);
      high = (high ^ (high >>> 13)) | 0;
    }
    this.low = mix(low) || 1;
    this.high = mix(high);
    return this;
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
