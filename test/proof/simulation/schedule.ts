interface Entry {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
  isOff: boolean;
}

/** Virtual time: what is due, in the order in which it is due. Of one moment, first planned is first done. */
export class Schedule {
  readonly #heap: Entry[] = [];
  #now = 0;
  #planned = 0;

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  /** @returns the way to call it off */
  at(time: number, act: () => void): () => void {
    const entry = { at: Math.max(time, this.#now), order: this.#planned++, act, isOff: false };
    this.#push(entry);
    return () => {
      entry.isOff = true;
    };
  }

  in(ms: number, act: () => void): () => void {
    return this.at(this.#now + ms, act);
  }

  /** Moves to the next thing that is due before `end` and does it; false when there is none. */
  step(end: number): boolean {
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.at > end) {
        this.#now = Math.max(this.#now, end);
        return false;
      }
      this.#pop();
      if (entry.isOff) continue;
      this.#now = entry.at;
      entry.act();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      const right = heap[below + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        below += 1;
        child = right;
      }
      if (child === undefined || !isBefore(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
