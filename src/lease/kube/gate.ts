/**
 * When requests may leave, after failures. One per client: a server in trouble is asked by one probe at a
 * time, whoever holds however many locks, and the rest of the queue follows once an answer has come.
 *
 * Pure: every time is handed in, on one monotonic clock.
 */

/** Starts of attempts are at least so far apart while nothing is known to work. */
const PROBE_SPACING_MS = 250;

/** A server that asked for a pause is asked again when the first deadline is this near. */
const LAST_CHANCE_MS = 1000;

export class Gate {
  #open = true;
  #shutUntil = -Infinity;
  #lastStart = -Infinity;
  #probe: object | null = null;

  /** Whether the server is known to work. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Milliseconds until the next request may leave; `Infinity` while a probe decides. */
  delay(now: number, earliestDeadline: number): number {
    if (this.#open) return 0;
    if (this.#probe !== null) return Infinity;
    const pauseEnds = Math.min(this.#shutUntil, earliestDeadline - LAST_CHANCE_MS);
    return Math.max(0, this.#lastStart + PROBE_SPACING_MS - now, pauseEnds - now);
  }

  /** `request` left. */
  left(request: object, now: number): void {
    this.#lastStart = now;
    if (!this.#open) this.#probe = request;
  }

  /** `request` has ended, or is silent for so long that it decides nothing anymore. */
  done(request: object): void {
    if (this.#probe === request) this.#probe = null;
  }

  /** An answer came. @param pauseMs how long the server asked to be left alone */
  answered(status: number, pauseMs: number | null, now: () => number): void {
    if (status !== 429 && status < 500) {
      this.#open = true;
      this.#shutUntil = -Infinity;
      return;
    }
    this.#open = false;
    if (pauseMs === null || (status !== 429 && status !== 503)) return;
    this.#shutUntil = Math.max(this.#shutUntil, now() + pauseMs);
  }

  /** No answer came. */
  failed(): void {
    this.#open = false;
  }
}
