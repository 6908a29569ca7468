import type { Clock, Instant } from '../../src/lease/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that moves only when told to. Its three clocks start far apart, so that none passes for another. */
export class ManualClock implements Clock {
  #ms = 0;
  #suspendedMs = 0;
  readonly #timers = new Set<Timer>();
  /** How many ask at present that the process stay alive. */
  anchors = 0;

  now(): Instant {
    const elapsed = 500_000 + this.#ms + this.#suspendedMs;
    return { monotonic: 1_000 + this.#ms, elapsed, wall: 1_700_000_000_000 + this.#ms };
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#ms + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  keepAlive(): () => void {
    this.anchors++;
    return () => void this.anchors--;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; timers fire in order, each at its own time. */
  advance(ms: number): void {
    const end = this.#ms + ms;
    for (let next = this.#first(end); next !== undefined; next = this.#first(end)) {
      this.#timers.delete(next);
      this.#ms = Math.max(this.#ms, next.at);
      next.callback();
    }
    this.#ms = end;
  }

  /** The machine sleeps: only the clock of holders sees it. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }

  #first(end: number): Timer | undefined {
    return [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}
