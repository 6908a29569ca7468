import type { LeaseClient } from '../client.js';
import { InvalidOptionError } from '../errors.js';
import {
  checkDuration,
  resolveOptions,
  type LeaseOptions,
  type ResolvedOptions,
} from '../options.js';

/** What a leading callback gets. */
export interface Leading {
  /** Asks to wind down: the process steps down or stops, or the leadership is lost. */
  readonly signal: AbortSignal;
  /** Authority is gone: lost, or the drain took too long. While it is not aborted, nobody else leads. */
  readonly lostSignal: AbortSignal;
  /** Of this term. Hand it to whatever leaders write to, so that a late write can be refused. */
  readonly fencingToken: bigint;
}

/** Why a term ended; a loss while it drains wins over the reason for draining. */
export type StopReason = 'lost' | 'stepped-down' | 'aborted' | 'failed';

/** What an Election tells the process that runs it. */
export interface ElectionCallbacks {
  /**
   * Called once per term. Returning does not end the term; rejecting does, and `run()` then rejects with
   * that error. No new term starts here while it is unsettled.
   */
  readonly onStartedLeading: (leading: Leading) => unknown;
  /** Called exactly once per term, after it is not led any more. */
  readonly onStoppedLeading?: ((reason: StopReason) => void) | undefined;
  /** Each change of leader that is seen while `run()` is running; `null` when there is none. */
  readonly onNewLeader?: ((identity: string | null) => void) | undefined;
}

/** Fixed for the life of an Election. */
export interface ElectionOptions extends LeaseOptions, ElectionCallbacks {
  /** The way to the cluster. Default: one client shared by all who name none, made on first use. */
  readonly client?: LeaseClient | undefined;
  /** How long a callback may go on after `signal`, led and renewed, before belief ends. @defaultValue 30 000 */
  readonly drainTimeoutMs?: number | undefined;
}

export interface ResolvedElection {
  readonly lease: ResolvedOptions;
  readonly callbacks: ElectionCallbacks;
  readonly drainTimeoutMs: number;
}

const DRAIN_TIMEOUT_MS = 30_000;

/** @throws InvalidOptionError */
export function resolveElection(options: ElectionOptions): ResolvedElection {
  const own = ['onStartedLeading', 'onStoppedLeading', 'onNewLeader', 'drainTimeoutMs', 'client'];
  const lease = resolveOptions(options, own);
  const { drainTimeoutMs = DRAIN_TIMEOUT_MS } = options;
  checkDuration('drainTimeoutMs', drainTimeoutMs);
  const { onStartedLeading, onStoppedLeading, onNewLeader } = options;
  checkCallback('onStartedLeading', onStartedLeading);
  if (onStoppedLeading !== undefined) checkCallback('onStoppedLeading', onStoppedLeading);
  if (onNewLeader !== undefined) checkCallback('onNewLeader', onNewLeader);
  const callbacks = { onStartedLeading, onStoppedLeading, onNewLeader };
  return { lease, callbacks, drainTimeoutMs };
}

function checkCallback(name: string, callback: unknown): void {
  if (typeof callback !== 'function')
    throw new InvalidOptionError(name, callback, 'must be a function');
}
