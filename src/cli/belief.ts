import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diagnosticsChannels, type EventMessage } from '../index.js';
import { systemClock } from '../lease/clock.js';
import type { State } from '../lease/protocol/state.js';

/**
 * How long ago belief in a lease of this process ended. Whoever learns late of a loss, since the process was
 * stopped or starved, has so much less time left before somebody else may hold the lease.
 */
export class Belief implements Disposable {
  readonly #lease: string;
  readonly #onEvent = (message: unknown): void => this.#hear(message as EventMessage);
  /** On the clock that counts suspension. */
  #heldUntil = Infinity;

  /** @param lease `namespace/name` */
  constructor(lease: string) {
    this.#lease = lease;
    subscribe(diagnosticsChannels.event, this.#onEvent);
  }

  /** Milliseconds; 0 while it lasts, and when it was cut short before its end. */
  get overMs(): number {
    return Math.max(0, systemClock.now().elapsed - this.#heldUntil);
  }

  [Symbol.dispose](): void {
    unsubscribe(diagnosticsChannels.event, this.#onEvent);
  }

  #hear({ lease, detail }: EventMessage): void {
    if (lease !== this.#lease) return;
    const { after } = detail as { readonly after: State };
    if (after.kind === 'holding') this.#heldUntil = after.heldUntil;
  }
}
