/** One level of the search: canonical worlds end to end in one growing array. */
export class Level {
  count = 0;
  words: Int16Array = new Int16Array(1 << 14);
  #starts = new Uint32Array(1 << 8);
  #length = 0;

  push(words: Int16Array, length: number): void {
    if (this.#length + length > this.words.length) this.words = grown(this.words, Int16Array);
    if (this.count === this.#starts.length) this.#starts = grown(this.#starts, Uint32Array);
    this.words.set(words.subarray(0, length), this.#length);
    this.#starts[this.count++] = this.#length;
    this.#length += length;
  }

  startOf(index: number): number {
    return this.#starts[index]!;
  }
}

interface Words<T> {
  readonly length: number;
  set(from: T, at?: number): void;
}

export function grown<T extends Words<T>>(words: T, make: new (length: number) => T): T {
  const next = new make(words.length * 2);
  next.set(words);
  return next;
}
