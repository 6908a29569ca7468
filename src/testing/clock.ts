/** The time that a server and its clients go by: that of the machine, or one that a test moves. */
import { setImmediate } from 'node:timers';

/** What the server needs of a clock. */
export interface ServerClock {
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Calls back once after `ms`; returns the way to call it off. */
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
  isOff: boolean;
}

/** For {@link ManualClock.advanceUntil}. */
export interface AdvanceOptions {
  /** The most virtual time to let pass, milliseconds. @defaultValue 600 000 */
  readonly limitMs?: number | undefined;
}

/** Where every manual clock starts: 2030-01-01T00:00:00Z. */
const EPOCH = Date.UTC(2030, 0, 1);
/** As `setTimeout` has it. Without it, a timer that sets itself again would hold time still. */
const SHORTEST_MS = 1;

/**
 * A clock that stands still until a test moves it. Whatever becomes due while it moves is carried out in order, each
 * at its own moment, and what follows from it, down to the last promise, before the next. Input and output outside of
 * the server (files, sockets, child processes) goes by real time and is not waited for.
 */
export class ManualClock implements ServerClock {
  readonly #timers: Timer[] = [];
  #now = 0;
  #moving: Promise<unknown> = Promise.resolve();

  /** Milliseconds that have passed since the clock was made. */
  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return EPOCH + this.#now;
  }

  /** All of a client's clocks: on this machine they agree. */
  now(): { readonly monotonic: number; readonly elapsed: number; readonly wall: number } {
    return { monotonic: this.#now, elapsed: this.#now, wall: this.wall() };
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { dueAt: this.#now + Math.max(ms, SHORTEST_MS), callback, isOff: false };
    this.#timers.splice(this.#indexAfter(timer.dueAt), 0, timer);
    return () => void (timer.isOff = true);
  }

  /** Nothing to do: whether the process lives on is up to the test. */
  keepAlive(): () => void {
    return () => undefined;
  }

  /** Resolves once the clock has been moved by `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Moves the clock by `ms`. Calls that overlap follow one another. */
  advance(ms: number): Promise<void> {
    return this.#inTurn(async () => {
      const target = this.#now + ms;
      await settled();
      while (await this.#step(target)) {
        // Until nothing more is due.
      }
      this.#now = target;
      await settled();
    });
  }

  /**
   * Moves the clock from timer to timer until the promise has settled, and returns what it came to, or until the
   * condition holds. Rejects when that has not happened after `limitMs`, or when no timer is left that could bring it.
   */
  advanceUntil<T>(
    what: Promise<T> | (() => boolean),
    { limitMs = 600_000 }: AdvanceOptions = {},
  ): Promise<T> {
    const isReached = typeof what === 'function' ? what : settling(what);
    const result = (): T => (typeof what === 'function' ? undefined : what) as T;
    return this.#inTurn(async () => {
      const target = this.#now + limitMs;
      await settled();
      while (!isReached()) {
        if (await this.#step(target)) continue;
        const why = this.#next() === undefined ? 'no timer is left' : `the limit is ${limitMs} ms`;
        const passed = `${this.#now - target + limitMs} ms of virtual time`;
        throw new Error(`what was waited for has not happened after ${passed}: ${why}`);
      }
      return result();
    });
  }

  /** Carries out what is due next, if that is not later than `target`. */
  async #step(target: number): Promise<boolean> {
    const timer = this.#next();
    if (timer === undefined || timer.dueAt > target) return false;
    this.#timers.shift();
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
    await settled();
    return true;
  }

  #next(): Timer | undefined {
    while (this.#timers[0]?.isOff === true) this.#timers.shift();
    return this.#timers[0];
  }

  /** First come first served among those due at one moment. */
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
    const moved = this.#moving.then(move);
    this.#moving = moved.catch(() => undefined);
    return moved;
  }
}

/** Resolves when every promise reaction that can run has run: those go before what `setImmediate` has in line. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function settling(promise: Promise<unknown>): () => boolean {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  return () => isSettled;
}
