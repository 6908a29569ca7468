import type { Clock } from './clock.js';

/**
 * One wait with several ways to end: the caller's signal, a time limit, the client being closed. Puts a
 * single listener on each signal and takes it off again when the wait is over.
 */
export class Wait {
  readonly #ended = new AbortController();
  readonly #undo: (() => void)[] = [];
  #startedAt = 0;
  readonly #clock: Clock;
  #isTimedOut = false;

  constructor(clock: Clock, signals: readonly AbortSignal[], timeoutMs: number) {
    this.#clock = clock;
    for (const signal of signals) this.#follow(signal);
    this.limit(timeoutMs);
  }

  /** Starts the time limit, and the count of the time waited: what came before is not part of either. */
  limit(timeoutMs: number): void {
    this.#startedAt = this.#clock.monotonic();
    if (timeoutMs === Infinity || this.signal.aborted) return;
    const cancel = this.#clock.after(timeoutMs, () => {
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
    return this.#clock.monotonic() - this.#startedAt;
  }

  /** Settles like `promise`, or rejects with the reason for the end of the wait if that comes first. */
  async race<T>(promise: Promise<T>): Promise<T> {
    // Whoever stops waiting for it still must not leave its failure unhandled.
    promise.catch(() => undefined);
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
    if (signal.aborted) return this.#ended.abort(signal.reason);
    this.#undo.push(onAbort(signal, () => this.#ended.abort(signal.reason)));
  }
}

interface Followers {
  readonly all: Set<() => void>;
  readonly tell: () => void;
}

const followers = new WeakMap<AbortSignal, Followers>();

/**
 * Calls back when the signal aborts, until undone. All who wait on one signal share a single listener: a
 * service may well wait for a hundred locks on one signal, and Node.js warns of more than ten.
 */
function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const shared = followers.get(signal) ?? listen(signal);
  shared.all.add(callback);
  return () => {
    shared.all.delete(callback);
    if (shared.all.size > 0 || followers.get(signal) !== shared) return;
    followers.delete(signal);
    signal.removeEventListener('abort', shared.tell);
  };
}

function listen(signal: AbortSignal): Followers {
  const all = new Set<() => void>();
  const tell = (): void => {
    for (const one of [...all]) one();
  };
  const shared = { all, tell };
  followers.set(signal, shared);
  signal.addEventListener('abort', tell, { once: true });
  return shared;
}
