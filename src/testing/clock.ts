/** The time of a server and its clients: that of the machine, or one that a test moves. */
import { setImmediate } from 'node:timers';

/** What the server needs of a clock. */
export interface ServerClock {
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Calls back once after `ms`. The returned function cancels that. */
  after(ms: number, callback: () => void): () => void;
}

/** Its timers keep the process alive, as the server's socket does. */
export const systemClock: ServerClock = {
  wall: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** For {@link ManualClock.advanceUntil}. */
export interface AdvanceOptions {
  /** How much virtual time may pass, milliseconds. @defaultValue 600 000 */
  readonly limitMs?: number | undefined;
}

/** Where every manual clock starts: 2030-01-01T00:00:00Z. */
const EPOCH = Date.UTC(2030, 0, 1);
/** As `setTimeout` has it. Without a minimum, a timer that sets itself again would stop time. */
const SHORTEST_MS = 1;

/**
 * A clock that stands still until a test moves it. While it moves, timers fire in order, each at its own time. All
 * promise reactions that follow from one timer run before the next timer fires. Real input and output (files, sockets,
 * child processes) takes real time, and the clock does not wait for it.
 */
export class ManualClock implements ServerClock {
  /** In the order in which they fire. */
  readonly #timers: Timer[] = [];
  #now = 0;
  #suspendedMs = 0;
  #lastMove: Promise<unknown> = Promise.resolve();

  /** Milliseconds since the clock was made, without those of {@link suspend}. */
  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return EPOCH + this.#now + this.#suspendedMs;
  }

  /** The three clocks of a client. `elapsed` counts {@link suspend}, too. */
  now(): { readonly monotonic: number; readonly elapsed: number; readonly wall: number } {
    const elapsed = this.#now + this.#suspendedMs;
    return { monotonic: this.#now, elapsed, wall: this.wall() };
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length;
  }

  after(ms: number, callback: () => void): () => void {
    // A delay that is not a number is a short one, for setTimeout as well.
    const timer = { dueAt: this.#now + (ms > SHORTEST_MS ? ms : SHORTEST_MS), callback };
    this.#timers.splice(this.#indexAfter(timer.dueAt), 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  /** Does nothing: the test decides how long the process lives. */
  keepAlive(): () => void {
    return () => undefined;
  }

  /** Resolves when the clock has been moved by `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Moves the clock by `ms`. Calls that overlap run one after the other. */
  advance(ms: number): Promise<void> {
    return this.#inTurn(async () => {
      const target = this.#now + ms;
      await settled();
      while (await this.#step(target)) {
        // Until no timer is due.
      }
      this.#now = Math.max(this.#now, target);
      await settled();
    });
  }

  /**
   * Moves the clock from timer to timer until the promise has settled, and returns its outcome, or until the condition
   * holds. Rejects when that has not happened after `limitMs`, or when no timer is left that could bring it about.
   */
  advanceUntil<T>(
    what: Promise<T> | (() => boolean),
    { limitMs = 600_000 }: AdvanceOptions = {},
  ): Promise<T> {
    const isCondition = typeof what === 'function';
    const isReached = isCondition ? what : settling(what);
    return this.#inTurn(async () => {
      const start = this.#now;
      await settled();
      while (!isReached()) {
        if (await this.#step(start + limitMs)) continue;
        if (this.timers > 0) this.#now = Math.max(this.#now, start + limitMs);
        const failure = isCondition ? 'the condition does not hold' : 'the promise is pending';
        const why = this.timers === 0 ? 'no timer is left' : `the limit is ${limitMs} ms`;
        throw new Error(
          `advanceUntil: ${failure} after ${this.#now - start} ms of virtual time: ${why}`,
        );
      }
      return (isCondition ? undefined : what) as T;
    });
  }

  /** Time passes and nothing runs, as when the event loop is blocked. What became due fires at the next move. */
  block(ms: number): void {
    this.#now += ms;
  }

  /** The machine is suspended: the wall clock and `elapsed` go on, timers and the monotonic clock stand still. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }

  /** Fires the next timer, unless it is due later than `target`. */
  async #step(target: number): Promise<boolean> {
    const [timer] = this.#timers;
    if (timer === undefined || timer.dueAt > target) return false;
    this.#timers.shift();
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
    await settled();
    return true;
  }

  /** Timers that are due at the same time fire in the order in which they were set. */
  #indexAfter(dueAt: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.dueAt ?? Infinity) <= dueAt) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #inTurn<T>(move: () => Promise<T>): Promise<T> {
    const moved = this.#lastMove.then(move);
    this.#lastMove = moved.catch(() => undefined);
    return moved;
  }
}

/** Resolves when all promise reactions that can run have run: they run before the callbacks of `setImmediate`. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function settling(promise: Promise<unknown>): () => boolean {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  return () => isSettled;
}
