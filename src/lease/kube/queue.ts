/** Items by earliest deadline, first come first served among equals. */
export class DeadlineQueue<T extends { readonly deadline: number }> {
  readonly #items: T[] = [];

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.deadline ?? Infinity) <= item.deadline) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
  }

  shift(): T | undefined {
    return this.#items.shift();
  }

  remove(item: T): void {
    const index = this.#items.indexOf(item);
    if (index >= 0) this.#items.splice(index, 1);
  }

  /** Takes everything out, in order. */
  drain(): T[] {
    return this.#items.splice(0);
  }
}
