import type { SyncError, SyncWarning } from '../errors.js';
import type { Clock } from './clock.js';
import type { Lease } from './record.js';
import type { Decoration, LeaseStore } from './store.js';
import type { LeaseView } from './view.js';

/** What a keeper tells the one who holds it. Each is called at most once, `ended` last of all. */
export interface KeeperHooks {
  /** The lease is ours this instant. */
  acquired(): void;
  /** It will not be: a failure that waiting does not mend. */
  failed(error: SyncError): void;
  /** These terms do not wait: for another holder; or, for the term that they are to evict, there is no such term. */
  busy(lease: Lease | null): void;
  /** Nothing is under way any more. */
  ended(): void;
}

export interface KeeperPorts {
  readonly clock: Clock;
  readonly store: LeaseStore;
  readonly view: LeaseView;
  readonly decoration: Decoration;
  warn(warning: SyncWarning): void;
}
