import type { Clock } from './clock.js';

/**
 * One wait with several ways to end: the caller's signal, a time limit, the client being closed. Puts a
 * single listener on each signal and takes it off again when the wait is over.
 */
export class Wait {
  readonly #ended = new AbortController();
  readonly #undo: (() => void)[] = [];
  readonly #startedAt: number;
  readonly #clock: Clock;
  #isTimedOut = false;

  constructor(clock: Clock, signals: readonly AbortSignal[], timeoutMs: number) {
    this.#clock = clock;
    this.#startedAt = clock.now().monotonic;
    for (const signal of signals) this.#follow(signal);
    if (timeoutMs === Infinity) return;
    const cancel = clock.after(timeoutMs, () => {
      this.#isTimedOut = true;
      this.#ended.abort(new Error('timed out'));
    });
    this.#undo.push(cancel);
  }

  /** Aborted with the caller's or the client's reason, or when the time is up. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  get isTimedOut(): boolean {
    return this.#isTimedOut;
  }

  get waitedMs(): number {
    return this.#clock.now().monotonic - this.#startedAt;
  }

  /** Settles like `promise`, or rejects with the reason for the end of the wait if that comes first. */
  async race<T>(promise: Promise<T>): Promise<T> {
    let stop: () => void = () => undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      stop = () => reject(this.signal.reason as Error);
      this.signal.addEventListener('abort', stop, { once: true });
    });
    try {
      this.signal.throwIfAborted();
      return await Promise.race([promise, ended]);
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  done(): void {
    for (const undo of this.#undo) undo();
  }

  #follow(signal: AbortSignal): void {
    if (signal.aborted) {
      this.#ended.abort(signal.reason);
      return;
    }
    const end = (): void => this.#ended.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    this.#undo.push(() => signal.removeEventListener('abort', end));
  }
}
