/** Watches that are open and silent. */
import { fits } from './requests.js';
import type { RequestMatch } from './requests.js';
import type { Watch } from './watch.js';

/** Which watches fall silent. */
export interface StallOptions {
  /** @defaultValue all of them */
  readonly match?: RequestMatch | undefined;
  /**
   * Only the watches open now, so that one opened instead works (a half-open connection), or those opened later
   * too. @defaultValue `'all'`
   */
  readonly which?: 'open' | 'all' | undefined;
}

/** A silence in force. */
export interface StallHandle {
  /** How many watches it holds back or held back. */
  readonly hits: number;
  /** Ends the stall. @param deliver what was held back comes now (the default), or never */
  resume(deliver?: 'queued' | 'nothing'): void;
  /** The same as `resume('queued')`. */
  remove(): void;
}

export class Stall implements StallHandle {
  readonly #options: StallOptions;
  readonly #held = new Set<Watch>();
  readonly #onEnd: () => void;
  #isSealed = false;

  constructor(options: StallOptions, open: readonly Watch[], onEnd: () => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    for (const watch of open) this.meet(watch);
    this.#isSealed = options.which === 'open';
  }

  get hits(): number {
    return this.#held.size;
  }

  meet(watch: Watch): void {
    if (this.#isSealed || !fits(this.#options.match, watch.request)) return;
    this.#held.add(watch);
    watch.hold(this);
  }

  resume(deliver: 'queued' | 'nothing' = 'queued'): void {
    this.#onEnd();
    for (const watch of this.#held) watch.release(this, deliver);
  }

  remove(): void {
    this.resume();
  }
}
