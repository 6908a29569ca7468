/** The server by itself: no transport, no clock of its own. */
import type { Incoming, Responder } from './responder.js';
import { BaseLeaseServer } from './server.js';
import type { BaseLeaseServerOptions, Surroundings } from './server.js';
import type { StoreEvent } from './store.js';

/**
 * A Lease API server for simulations, which bring their own network and their own time. Not part of the package's
 * entry: `startLeaseServer` gives the servers that are.
 */
export class LeaseServerModel extends BaseLeaseServer {
  readonly url = 'http://model.invalid';

  constructor(
    options: BaseLeaseServerOptions,
    surroundings: Surroundings,
    onChange: (event: StoreEvent) => void,
  ) {
    super(options, surroundings);
    this.subscribe(onChange);
  }

  /**
   * Carries out a request as it arrives at the server. Unless the clock must move for it, everything that follows has
   * happened once the running code has given way.
   */
  override serve(incoming: Incoming, responder: Responder): Promise<void> {
    return super.serve(incoming, responder);
  }

  protected override disconnect(): Promise<void> {
    return Promise.resolve();
  }
}
