import type { Clock } from './clock.js';

/** Work that goes on although the lease that it was begun under was lost. */
export interface Overrun {
  /** `namespace/name` of the Lease. */
  readonly lease: string;
  /** How long ago the lease was lost, milliseconds. */
  readonly sinceMs: number;
}

/** What is asked about work that runs under a lease. */
export interface Work {
  readonly lease: string;
  /** Aborted when the authority is gone. */
  readonly signal: AbortSignal;
  /** Asks the clocks; when the authority is gone, `signal` is aborted before it returns. */
  isHeld(): boolean;
}

/** Keeps in sight the work of one client that is under way, and since when it is so without authority. */
export class Overruns {
  readonly #clock: Clock;
  readonly #running = new Map<Work, { lostAt: number | null }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns what is to be called when the work has ended */
  begin(work: Work): () => void {
    const entry: { lostAt: number | null } = { lostAt: null };
    const onLoss = (): void => void (entry.lostAt = this.#clock.now().elapsed);
    work.signal.addEventListener('abort', onLoss, { once: true });
    this.#running.set(work, entry);
    return () => {
      work.signal.removeEventListener('abort', onLoss);
      this.#running.delete(work);
    };
  }

  /** Those that go on for longer than this without authority. */
  beyond(toleranceMs: number): Overrun[] {
    const now = this.#clock.now().elapsed;
    return [...this.#running].flatMap(([work, entry]) => {
      work.isHeld();
      const sinceMs = entry.lostAt === null ? -1 : now - entry.lostAt;
      return sinceMs > toleranceMs ? [{ lease: work.lease, sinceMs }] : [];
    });
  }
}
