import type { SyncErrorCode } from '../errors.js';

/**
 * What the commands end with beside 0. Numbers are those of flock(1) and sysexits.h where they have one, and
 * of shells for a command that could not be run.
 */
export const exitCodes = {
  /** The lock was not to be had; another number by `--conflict-exit-code`. */
  notAcquired: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The API server cannot be reached, or did not do what was asked. */
  unavailable: 69,
  /** An error of this program. */
  internal: 70,
  /** The lock was lost while the command ran: it may have been cut off. */
  lost: 75,
  /** The API server does not allow it. */
  notAllowed: 77,
  /** No cluster configuration, or one that cannot be used. */
  config: 78,
  /** The command is there and cannot be executed. */
  notExecutable: 126,
  /** There is no such command. */
  notFound: 127,
} as const;

export const exitCodeOf: Readonly<Record<SyncErrorCode, number>> = {
  ERR_INVALID_OPTION: exitCodes.usage,
  ERR_ACQUIRE_TIMEOUT: exitCodes.notAcquired,
  ERR_LOCK_LOST: exitCodes.lost,
  ERR_UNAUTHORIZED: exitCodes.notAllowed,
  ERR_FORBIDDEN: exitCodes.notAllowed,
  ERR_NAMESPACE: exitCodes.config,
  ERR_NO_CLUSTER_CONFIG: exitCodes.config,
  ERR_API_UNREACHABLE: exitCodes.unavailable,
  ERR_API: exitCodes.unavailable,
  ERR_UNSUPPORTED_LEASE: exitCodes.unavailable,
  ERR_CLOSED: exitCodes.internal,
};
