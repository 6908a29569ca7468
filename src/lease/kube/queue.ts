/** Pure: whose turn it is among requests of different purposes. */
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

/** Items by lane, then in the order that is given for them, first come first served among equals. */
export class LaneQueue<T extends Queued> {
  readonly #order: (item: T) => number;
  readonly #lanes: readonly Waiting<T>[] = LANES.map(() => ({ items: [], passedOver: 0 }));

  /** @param order lower goes first; of one item it never changes */
  constructor(order: (item: T) => number) {
    this.#order = order;
  }

  /** The one whose turn it is, of those that are ready. */
  peek(now: number, isReady: (item: T) => boolean = () => true): T | undefined {
    const heads = this.#lanes.map(({ items, passedOver }) => ({
      item: items.find(isReady),
      passedOver,
    }));
    const holder = heads[0]?.item;
    if (holder !== undefined && holder.deadline - now < PRESSING_MS) return holder;
    const waiting = heads.filter(({ item }) => item !== undefined);
    const next = waiting.find(({ passedOver }) => passedOver >= MOST_PASSED_OVER) ?? waiting[0];
    return next?.item;
  }

  /** The first of all, whatever its lane. */
  first(): T | undefined {
    let first: T | undefined;
    for (const { items } of this.#lanes) {
      const [head] = items;
      if (head !== undefined && (first === undefined || this.#order(head) < this.#order(first)))
        first = head;
    }
    return first;
  }

  push(item: T): void {
    const { items } = this.#laneOf(item);
    const order = this.#order(item);
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#order(items[middle] ?? item) <= order) low = middle + 1;
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
