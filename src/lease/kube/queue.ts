import type { Lane } from '../store.js';

interface Queued {
  readonly deadline: number;
  readonly lane: Lane;
}

/** Who holds goes first: a renewal must not wait for all that somebody wants besides. */
const LANES: readonly Lane[] = ['holding', 'vacating', 'seeking'];

/** Items by lane, then by earliest deadline, first come first served among equals. */
export class DeadlineQueue<T extends Queued> {
  readonly #lanes: readonly T[][] = LANES.map(() => []);

  /** The one whose turn it is. */
  peek(): T | undefined {
    return this.#lanes.find((lane) => lane.length > 0)?.[0];
  }

  /** The one whose deadline comes first of all, whatever its lane. */
  earliest(): T | undefined {
    let first: T | undefined;
    for (const [head] of this.#lanes) {
      if (head !== undefined && head.deadline < (first?.deadline ?? Infinity)) first = head;
    }
    return first;
  }

  push(item: T): void {
    const lane = this.#laneOf(item);
    let [low, high] = [0, lane.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lane[middle]?.deadline ?? Infinity) <= item.deadline) low = middle + 1;
      else high = middle;
    }
    lane.splice(low, 0, item);
  }

  remove(item: T): void {
    const lane = this.#laneOf(item);
    const index = lane.indexOf(item);
    if (index >= 0) lane.splice(index, 1);
  }

  /** Takes everything out, in order. */
  drain(): T[] {
    return this.#lanes.flatMap((lane) => lane.splice(0));
  }

  #laneOf({ lane }: T): T[] {
    return this.#lanes[LANES.indexOf(lane)] ?? [];
  }
}
