import type { Step, Write } from './protocol/state.js';
import type { RequestOptions } from './store.js';

/**
 * The renewal that is neither answered nor silent yet. Edits by others doom it on its way, and each would set
 * off another one: so many that they keep each other, and those of other leases, waiting until all are too late.
 */
export class RenewalUnderWay {
  #stamp: number | null = null;
  #queued = new AbortController();

  /** @returns what takes the write out of the queue when a newer one wants its place */
  begin({ intent, stamp }: Write): Pick<RequestOptions, 'signal'> {
    if (intent !== 'renew') return {};
    this.#stamp = stamp;
    this.#queued = new AbortController();
    return { signal: this.#queued.signal };
  }

  over(stamp: number): void {
    if (this.#stamp === stamp) this.#stamp = null;
  }

  /** This step, or to wait for the renewal before it: not for long if that is still queued. */
  orWait(step: Step, ms: number): Step {
    if (this.#stamp === null || step.do !== 'write' || step.write.intent !== 'renew') return step;
    this.#queued.abort();
    return { do: 'wait', ms };
  }
}
