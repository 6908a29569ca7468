/**
 * When requests may leave, after failures. While it is shut, one request at a time finds out whether the trouble is
 * over, and the others follow once it is.
 *
 * Pure: every time is handed in, on one monotonic clock.
 */

/** Starts of attempts are at least this far apart while nothing is known to work. */
const PROBE_SPACING_MS = 250;

export class Gate {
  #isOpen = true;
  #lastStart = -Infinity;
  #probe: object | null = null;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Milliseconds until the next request may leave; `Infinity` while a probe decides. */
  delay(now: number): number {
    if (this.#isOpen) return 0;
    if (this.#probe !== null) return Infinity;
    return Math.max(0, this.#lastStart + PROBE_SPACING_MS - now);
  }

  /** `request` left. */
  left(request: object, now: number): void {
    this.#lastStart = now;
    if (!this.#isOpen) this.#probe = request;
  }

  /** `request` has ended, or has been without an answer for so long that it decides nothing. */
  done(request: object): void {
    if (this.#probe === request) this.#probe = null;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** What started then has failed. */
  shut(startedAt: number): void {
    this.#isOpen = false;
    this.#lastStart = Math.max(this.#lastStart, startedAt);
  }
}
