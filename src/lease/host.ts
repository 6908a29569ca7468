import { ClosedError, type SyncError, type SyncWarning } from '../errors.js';
import type { Clock } from './clock.js';
import { Keeper } from './keeper.js';
import { Outages } from './outages.js';
import { Overruns } from './overruns.js';
import type { KeeperHooks } from './ports.js';
import type { Terms } from './protocol/state.js';
import { keyOf, type Lease, type LeaseKey } from './record.js';
import type { Connection, Decoration } from './store.js';
import { LeaseView } from './view.js';

export interface HostPorts {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  connect(): Promise<Connection>;
  warn(warning: SyncWarning): void;
}

/** How an attempt is described by whoever wants it. */
export interface Attempt {
  readonly terms: Terms;
  readonly decoration: Decoration;
  readonly keepProcessAlive: boolean;
}

/**
 * What all locks and elections of one client share: the connection, one view per lease, the attempts that
 * are under way, and the way to end them all.
 */
export class LeaseHost {
  readonly clock: Clock;
  /** Work under leases of this client that goes on. */
  readonly overruns: Overruns;
  /** What is waited for without a usable answer of the API server. */
  readonly outages: Outages;
  readonly #ports: HostPorts;
  readonly #views = new Map<string, LeaseView>();
  readonly #attempts = new Set<Keeper>();
  readonly #closing = new AbortController();
  readonly #lastWords = new Set<Promise<void>>();
  #connection: Promise<Connection> | null = null;
  #isConnected = false;
  #closed: Promise<void> | null = null;
  #held = 0;

  constructor(ports: HostPorts) {
    this.#ports = ports;
    this.clock = ports.clock;
    this.overruns = new Overruns(ports.clock);
    this.outages = new Outages(ports.clock, (warning) => ports.warn(warning));
  }

  /** Aborted with a ClosedError once the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Opens the connection on first use; a failure is not kept, the next call tries anew. */
  connect(): Promise<Connection> {
    this.closing.throwIfAborted();
    this.#connection ??= this.#open();
    return this.#connection;
  }

  async #open(): Promise<Connection> {
    try {
      const connection = await this.#ports.connect();
      this.#isConnected = true;
      return connection;
    } catch (error) {
      this.#connection = null;
      throw error;
    }
  }

  view(key: LeaseKey, connection: Connection): LeaseView {
    const name = keyOf(key);
    const known = this.#views.get(name);
    if (known !== undefined) return known;
    const ports = { watch: connection.watch, clock: this.clock, random: this.#ports.random };
    const view = new LeaseView(key, ports, () => {
      if (!view.turns.isTaken) this.#views.delete(name);
    });
    this.#views.set(name, view);
    return view;
  }

  /** Starts an attempt. Its keeper is looked after until it ended, also when nobody waits for it any more. */
  attempt(view: LeaseView, connection: Connection, what: Attempt, hooks: KeeperHooks): Keeper {
    const { store, end } = this.outages.begin(view.key, connection.store, connection.server);
    const ports = {
      clock: this.clock,
      store,
      view,
      decoration: what.decoration,
      warn: (warning: SyncWarning) => this.#ports.warn(warning),
    };
    let letGo: (() => void) | null = null;
    const keeper = new Keeper(ports, what.terms, {
      acquired: () => {
        letGo = what.keepProcessAlive ? this.keepAlive() : () => undefined;
        connection.holding(++this.#held);
        hooks.acquired();
      },
      failed: (error: SyncError) => hooks.failed(error),
      busy: (lease: Lease | null) => hooks.busy(lease),
      ended: () => {
        if (letGo !== null) connection.holding(--this.#held);
        letGo?.();
        this.#attempts.delete(keeper);
        end();
        hooks.ended();
      },
    });
    this.#attempts.add(keeper);
    return keeper;
  }

  warn(warning: SyncWarning): void {
    this.#ports.warn(warning);
  }

  /** Keeps the process alive until called back; as often as one likes. */
  keepAlive(): () => void {
    return this.clock.keepAlive();
  }

  /** The connection is not closed before this has settled, which has to take seconds at most. */
  keepOpen(until: Promise<void>): void {
    this.#lastWords.add(until);
    void until.finally(() => this.#lastWords.delete(until));
  }

  /** Releases what is held, calls off what is waited for, ends the connection. Bounded by the protocol. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const letGo = this.keepAlive();
    this.#closing.abort(new ClosedError());
    const attempts = [...this.#attempts];
    for (const keeper of attempts) keeper.revoke();
    await Promise.all([...attempts.map(({ ended }) => ended), ...this.#lastWords]);
    for (const view of this.#views.values()) view.close();
    // One that is still being opened (an exec plugin may take its time) is closed as soon as it is there.
    const closing = this.#connection?.then(
      (connection) => connection.close(),
      () => undefined,
    );
    if (this.#isConnected) await closing;
    letGo();
  }
}
