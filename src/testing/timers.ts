import type { ServerClock } from './clock.js';

/** Every delay of the server, so that `close()` ends them all. */
export class Timers {
  readonly #clock: ServerClock;
  readonly #pending = new Set<() => void>();

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  /** Calls back once, unless called off by the returned function or by `clear()`. */
  after(ms: number, action: () => void): () => void {
    const cancel = this.#clock.after(ms, () => {
      this.#pending.delete(cancel);
      action();
    });
    this.#pending.add(cancel);
    return () => {
      this.#pending.delete(cancel);
      cancel();
    };
  }

  /** Never settles when the server is closed before. */
  async sleep(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => void this.after(ms, resolve));
  }

  clear(): void {
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
  }
}

/** Closed, it lets nothing pass; opened again, everything in the order of arrival. */
export class Gate {
  #opened: Promise<void> | null = null;
  #open: () => void = () => undefined;

  get isClosed(): boolean {
    return this.#opened !== null;
  }

  close(): void {
    this.#opened ??= new Promise((resolve) => (this.#open = resolve));
  }

  open(): void {
    this.#opened = null;
    this.#open();
  }

  async pass(): Promise<void> {
    while (this.#opened !== null) await this.#opened;
  }
}
