import type { LeaseClient } from '../client.js';
import {
  checkDuration,
  checkFlag,
  checkFunction,
  resolveOptions,
  type LeaseOptions,
  type ResolvedOptions,
} from '../options.js';

/** What a leading callback gets. */
export interface Leading {
  /** Asks to wind down: the process steps down or stops, or the leadership is lost. */
  readonly signal: AbortSignal;
  /**
   * Authority is gone: lost, or the drain took too long. Aborted before anybody else leads, as long as the
   * event loop runs; after it was blocked, `election.isLeader()` knows first.
   */
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
  /**
   * Called exactly once per term, after it is not led any more; not waited for. A throw makes `run()` reject
   * with it, a rejection is a warning.
   */
  readonly onStoppedLeading?: ((reason: StopReason) => unknown) | undefined;
  /** Each change of leader seen while `run()` is running; `null` for none. What it throws is a warning. */
  readonly onNewLeader?: ((identity: string | null) => unknown) | undefined;
}

/** Fixed for the life of an Election. */
export interface ElectionOptions extends LeaseOptions, ElectionCallbacks {
  /** The way to the cluster. Default: one client shared by all who name none, made on first use. */
  readonly client?: LeaseClient | undefined;
  /** How long a callback may go on after `signal`, led and renewed, before belief ends. @defaultValue 25 000 */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * Write Kubernetes Events about the Lease, as client-go does: who became leader, who stopped leading. Best
   * effort: silent where it is not allowed, not tried again. @defaultValue false
   */
  readonly recordEvents?: boolean | undefined;
}

export interface ResolvedElection {
  readonly lease: ResolvedOptions;
  readonly callbacks: ElectionCallbacks;
  readonly drainTimeoutMs: number;
  readonly recordEvents: boolean;
}

/** Below the 30 s that a pod has by default to end in, with room for the release. */
const DRAIN_TIMEOUT_MS = 25_000;

/** @throws InvalidOptionError */
export function resolveElection(options: ElectionOptions): ResolvedElection {
  const callbackNames = ['onStartedLeading', 'onStoppedLeading', 'onNewLeader'];
  const own = [...callbackNames, 'drainTimeoutMs', 'recordEvents', 'client'];
  const lease = resolveOptions(options, own);
  const { drainTimeoutMs = DRAIN_TIMEOUT_MS, recordEvents = false } = options;
  checkDuration('drainTimeoutMs', drainTimeoutMs);
  checkFlag('recordEvents', recordEvents);
  const { onStartedLeading, onStoppedLeading, onNewLeader } = options;
  checkFunction('onStartedLeading', onStartedLeading);
  if (onStoppedLeading !== undefined) checkFunction('onStoppedLeading', onStoppedLeading);
  if (onNewLeader !== undefined) checkFunction('onNewLeader', onNewLeader);
  const callbacks = { onStartedLeading, onStoppedLeading, onNewLeader };
  return { lease, callbacks, drainTimeoutMs, recordEvents };
}
