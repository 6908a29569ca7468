/// <reference types="node" preserve="true" />
/**
 * Locks and leader election for Node.js on Kubernetes Leases.
 *
 * ```ts
 * import { Lock } from '@metaparticle/sync';
 *
 * const lock = new Lock('settle-payments');
 * await lock.withLock(async ({ signal, fencingToken }) => {
 *   // stop when `signal` aborts; pass `fencingToken` to what the lock protects
 * });
 * ```
 *
 * @packageDocumentation
 */
export { LeaseClient, type CheckOptions, type Health, type LeaseClientOptions } from './client.js';
export {
  AcquireTimeoutError,
  ApiError,
  ApiUnreachableError,
  ClosedError,
  ForbiddenError,
  InvalidOptionError,
  LockLostError,
  NamespaceError,
  NoClusterConfigError,
  SyncError,
  SyncWarning,
  UnauthorizedError,
  UnsupportedLeaseError,
  isSyncError,
  type ErrorOf,
  type ErrorsByCode,
  type LossReason,
  type SyncErrorCode,
  type SyncErrorInit,
  type SyncWarningCode,
} from './errors.js';
export {
  diagnosticsChannels,
  type AttemptMessage,
  type EventMessage,
  type OutageMessage,
  type StepMessage,
} from './diagnostics.js';
export { Election, type RunOptions, type StepDownOptions } from './election/election.js';
export type { Leader } from './election/observer.js';
export type {
  ElectionCallbacks,
  ElectionOptions,
  Leading,
  StopReason,
} from './election/options.js';
export { leaseName } from './lease-name.js';
export type { KubeConfigLike } from './lease/kube/config.js';
export type { Outage } from './lease/outages.js';
export type { Overrun } from './lease/overruns.js';
export {
  Lock,
  type AcquireOptions,
  type Held,
  type LockOptions,
  type TryAcquireOptions,
} from './lock/lock.js';
export type { LockHandle } from './lock/handle.js';
export type { LeaseOptions, OwnerReference } from './options.js';
export { shutdownSignal, type ShutdownOptions } from './shutdown.js';
