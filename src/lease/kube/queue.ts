import type { Lane } from '../store.js';

interface Queued {
  readonly deadline: number;
  readonly lane: Lane;
}

interface Waiting<T> {
  readonly items: T[];
  /** How often others went first since the last one of these. */
  passedOver: number;
}

/** Who holds goes first: a renewal must not wait for all that somebody wants besides. */
const LANES: readonly Lane[] = ['holding', 'vacating', 'seeking'];

/** So often a lane is passed over while something waits in it: who only wants gets on, however many hold. */
const MOST_PASSED_OVER = 3;

/** So near to its end no holder waits for somebody else's turn. */
const PRESSING_MS = 3_000;

/** Items by lane, then by earliest deadline, first come first served among equals. */
export class DeadlineQueue<T extends Queued> {
  readonly #lanes: readonly Waiting<T>[] = LANES.map(() => ({ items: [], passedOver: 0 }));

  /** The one whose turn it is. */
  peek(now: number): T | undefined {
    const [holder] = this.#lanes[0]?.items ?? [];
    if (holder !== undefined && holder.deadline - now < PRESSING_MS) return holder;
    const waiting = this.#lanes.filter(({ items }) => items.length > 0);
    const next = waiting.find(({ passedOver }) => passedOver >= MOST_PASSED_OVER) ?? waiting[0];
    return next?.items[0];
  }

  /** The one whose deadline comes first of all, whatever its lane. */
  earliest(): T | undefined {
    let first: T | undefined;
    for (const { items } of this.#lanes) {
      const [head] = items;
      if (head !== undefined && (first === undefined || head.deadline < first.deadline))
        first = head;
    }
    return first;
  }

  push(item: T): void {
    const { items } = this.#laneOf(item);
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((items[middle]?.deadline ?? Infinity) <= item.deadline) low = middle + 1;
      else high = middle;
    }
    items.splice(low, 0, item);
  }

  /** Its turn has come. */
  take(item: T): void {
    const lane = this.#laneOf(item);
    this.remove(item);
    for (const other of this.#lanes) other.passedOver += other.items.length > 0 ? 1 : 0;
    lane.passedOver = 0;
  }

  remove(item: T): void {
    const { items } = this.#laneOf(item);
    const index = items.indexOf(item);
    if (index >= 0) items.splice(index, 1);
  }

  /** Takes everything out, in order. */
  drain(): T[] {
    return this.#lanes.flatMap(({ items }) => items.splice(0));
  }

  #laneOf({ lane }: T): Waiting<T> {
    return this.#lanes[LANES.indexOf(lane)] ?? { items: [], passedOver: 0 };
  }
}
