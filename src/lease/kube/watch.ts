import { ForbiddenError, SyncWarning } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { LeaseKey } from '../record.js';
import type { LeaseWatch, WatchListener, WatchSubscription } from '../store.js';
import type { Door } from './endpoint.js';
import { readStatus } from './failure.js';
import type { HttpWire } from './http-wire.js';
import { NamespaceHub } from './hub.js';
import { StreamOpener } from './stream.js';

export interface WatchOptions {
  readonly endpoint: Door;
  readonly wire: HttpWire;
  readonly clock: Clock;
  readonly random: () => number;
  readonly warn: (warning: SyncWarning) => void;
  /** After refusals, the longest time until the next try. Default 60 s. */
  readonly refusedPauseMs?: number;
}

const REFUSED_PAUSE_MS = 60_000;

/** Watches of one API server, on connections of their own, namespace by namespace. */
export class KubeLeaseWatch implements LeaseWatch {
  readonly #options: WatchOptions;
  readonly #opener: StreamOpener;
  readonly #hubs = new Map<string, NamespaceHub>();
  readonly #warned = new Set<string>();
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#opener = new StreamOpener(options.endpoint, options.wire, options.clock);
  }

  subscribe(key: LeaseKey, from: bigint | null, listener: WatchListener): WatchSubscription {
    if (this.#isClosed) return { suspect: () => undefined, close: () => undefined };
    const hub = this.#hubs.get(key.namespace) ?? this.#open(key.namespace);
    const subscription = hub.subscribe(key.name, from, listener);
    return {
      suspect: () => subscription.suspect(),
      close: () => {
        subscription.close();
        if (hub.isEmpty && this.#hubs.get(key.namespace) === hub) this.#hubs.delete(key.namespace);
      },
    };
  }

  /** A request that was sent at this monotonic time fell silent: connections from before may have, too. */
  doubt(sentAt: number): void {
    for (const hub of this.#hubs.values()) hub.doubt(sentAt);
  }

  close(): void {
    this.#isClosed = true;
    for (const hub of this.#hubs.values()) hub.close();
    this.#hubs.clear();
  }

  #open(namespace: string): NamespaceHub {
    const { clock, random, refusedPauseMs = REFUSED_PAUSE_MS } = this.#options;
    const onForbidden = (body: string): void => this.#warn(namespace, body);
    const hub = new NamespaceHub({
      opener: this.#opener,
      ...{ clock, random, namespace, onForbidden, refusedPauseMs },
    });
    this.#hubs.set(namespace, hub);
    return hub;
  }

  #warn(namespace: string, body: string): void {
    if (this.#warned.has(namespace)) return;
    this.#warned.add(namespace);
    const error = new ForbiddenError('watch', 'leases', namespace, readStatus(body).message);
    const message =
      `leases in namespace ${namespace} cannot be watched, only polled: a release is noticed seconds ` +
      `later, and polling costs requests; add to a Role of this service account the rule ${error.rule}`;
    this.#options.warn(new SyncWarning('WATCH_FORBIDDEN', message, error));
  }
}
