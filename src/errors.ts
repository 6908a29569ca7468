/**
 * Every way this library can fail, as classes a program can tell apart: by `instanceof`, by `code`, or with
 * {@link isSyncError} when two copies of the package are installed. None carries a credential.
 */

/** The `code` of each error class. */
export type SyncErrorCode =
  | 'ERR_INVALID_OPTION'
  | 'ERR_ACQUIRE_TIMEOUT'
  | 'ERR_LOCK_LOST'
  | 'ERR_UNAUTHORIZED'
  | 'ERR_FORBIDDEN'
  | 'ERR_NAMESPACE'
  | 'ERR_NO_CLUSTER_CONFIG'
  | 'ERR_API_UNREACHABLE'
  | 'ERR_API'
  | 'ERR_UNSUPPORTED_LEASE'
  | 'ERR_CLOSED';

/** What a warning is about. */
export type SyncWarningCode =
  | 'WATCH_FORBIDDEN'
  | 'RENEWAL_LATE'
  | 'FOREIGN_EDIT'
  | 'SAME_IDENTITY'
  | 'ACCESS_LOST'
  | 'API_UNREACHABLE'
  | 'API_REACHABLE'
  | 'SELF_DEADLOCK'
  | 'HANDLE_DROPPED';

/** Kept on the global registry so that every installed copy recognizes the errors of every other. */
const brand: unique symbol = Symbol.for('@metaparticle/sync.error') as never;

/** What any error of this library may be given besides its message. */
export interface SyncErrorInit {
  readonly cause?: unknown;
  readonly retryable?: boolean;
}

/** Base of all errors of this library. */
export abstract class SyncError extends Error {
  abstract readonly code: SyncErrorCode | SyncWarningCode;
  /** Whether the same call may succeed later without anything being changed by hand. */
  readonly retryable: boolean;
  readonly [brand] = true;

  protected constructor(message: string, init: SyncErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.retryable = init.retryable ?? false;
  }

  /** Plain data for logs: every public field, `bigint` as a decimal string, causes by name and message. */
  toJSON(): Record<string, unknown> {
    const fields: Record<string, unknown> = {
      name: this.name,
      code: this.code,
      message: this.message,
      retryable: this.retryable,
    };
    for (const [key, value] of Object.entries(this)) {
      if (key !== 'cause') fields[key] = plain(value);
    }
    if (this.cause !== undefined) fields.cause = plain(this.cause);
    return fields;
  }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof SyncError) return value.toJSON();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (typeof value !== 'object' || value === null) return value;
  try {
    return JSON.parse(JSON.stringify(value, (_, part: unknown) => plainLeaf(part))) as unknown;
  } catch {
    return 'an object that has no JSON';
  }
}

function plainLeaf(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Which class goes with which code. */
export interface ErrorsByCode {
  ERR_INVALID_OPTION: InvalidOptionError;
  ERR_ACQUIRE_TIMEOUT: AcquireTimeoutError;
  ERR_LOCK_LOST: LockLostError;
  ERR_UNAUTHORIZED: UnauthorizedError;
  ERR_FORBIDDEN: ForbiddenError;
  ERR_NAMESPACE: NamespaceError;
  ERR_NO_CLUSTER_CONFIG: NoClusterConfigError;
  ERR_API_UNREACHABLE: ApiUnreachableError;
  ERR_API: ApiError;
  ERR_UNSUPPORTED_LEASE: UnsupportedLeaseError;
  ERR_CLOSED: ClosedError;
}

/** The class that goes with a code. */
export type ErrorOf<C> = C extends keyof ErrorsByCode
  ? ErrorsByCode[C]
  : C extends SyncWarningCode
    ? SyncWarning
    : SyncError;

/**
 * Whether `error` comes from this library, from any installed copy of it, and has the given code if one is
 * asked for.
 */
export function isSyncError<C extends SyncErrorCode | SyncWarningCode>(
  error: unknown,
  code?: C,
): error is ErrorOf<C> {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false;
  return code === undefined || (error as SyncError).code === code;
}

/** An option or argument cannot be used: thrown by the constructor or method that it was given to. */
export class InvalidOptionError extends SyncError {
  readonly code = 'ERR_INVALID_OPTION';
  /** Name of the option, as the caller wrote it. */
  readonly option: string;
  /**
   * What was given: a number, a boolean, the first 200 characters of a string. Of anything else only what it is ("an
   * object"), since it may hold credentials and errors end up in logs.
   */
  readonly value: unknown;
  /** What would be accepted, as a sentence. */
  readonly allowed: string;

  /** @param init `hidden`: also of a string or number only its type is shown */
  constructor(
    option: string,
    value: unknown,
    allowed: string,
    init: { readonly hidden?: boolean } = {},
  ) {
    const isShown = isPrimitive(value) && init.hidden !== true;
    const shown = isShown ? cut(value) : kindOf(value);
    const words = isShown && typeof value === 'string' ? JSON.stringify(shown) : String(shown);
    super(`${option}: ${allowed}; got ${words}`);
    this.option = option;
    this.value = shown;
    this.allowed = allowed;
  }
}

const LONGEST_SHOWN = 200;

function cut(value: unknown): unknown {
  const isLong = typeof value === 'string' && value.length > LONGEST_SHOWN;
  return isLong ? `${value.slice(0, LONGEST_SHOWN)}…` : value;
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function');
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return `a value of type ${typeof value}`;
  const { constructor } = value as { readonly constructor?: unknown };
  const name = typeof constructor === 'function' ? constructor.name : '';
  return name === '' || name === 'Object' ? 'an object' : `an instance of ${name}`;
}

/** The time given to `acquire` ran out. Nothing is held, and nothing stays behind that would block others. */
export class AcquireTimeoutError extends SyncError {
  readonly code = 'ERR_ACQUIRE_TIMEOUT';
  constructor(
    readonly lock: string,
    /** Identity of the holder last seen, `null` when none was. */
    readonly holder: string | null,
    readonly waitedMs: number,
    /** The last failure of a request, if the wait was troubled by any. */
    lastFailure?: SyncError,
    isOwn = false,
  ) {
    const own = isOwn ? ' in this process, and a lock is not reentrant' : '';
    const who = holder === null ? 'no holder was seen' : `held by ${JSON.stringify(holder)}${own}`;
    const why = lastFailure === undefined ? '' : `; last failure: ${lastFailure.message}`;
    super(`lock ${lock} not acquired within ${Math.round(waitedMs)} ms: ${who}${why}`, {
      cause: lastFailure,
      retryable: true,
    });
  }
}

/** Why a lock is no longer ours; `released`: its client was closed, or a released handle is asked to be held. */
export type LossReason = 'expired' | 'taken-over' | 'deleted' | 'released';

const lossWords: Record<LossReason, string> = {
  expired: 'it could not be renewed in time',
  'taken-over': 'the Lease names another holder',
  deleted: 'the Lease was deleted',
  released: 'this process gave it up: released, or its client was closed',
};

/** The lock may no longer be ours: stop the work. It cannot be had back; acquire anew. */
export class LockLostError extends SyncError {
  readonly code = 'ERR_LOCK_LOST';
  constructor(
    readonly lock: string,
    readonly reason: LossReason,
    readonly fencingToken: bigint,
    cause?: unknown,
  ) {
    super(`lock ${lock} (token ${fencingToken}) is not held any more: ${lossWords[reason]}`, {
      cause,
    });
  }
}

/** 401: the API server does not know these credentials. */
export class UnauthorizedError extends SyncError {
  readonly code = 'ERR_UNAUTHORIZED';
  constructor(readonly serverMessage: string) {
    super(
      `the API server does not accept the credentials (401 ${serverMessage}): ` +
        'check the token, certificate or exec plugin of the kubeconfig, or the mounted service account token',
    );
  }
}

/** 403: a rule is missing. `rule` is the one that would grant it. */
export class ForbiddenError extends SyncError {
  readonly code = 'ERR_FORBIDDEN';
  /** An RBAC rule, as it would stand in a Role, that grants what was refused. */
  readonly rule: string;
  constructor(
    readonly verb: string,
    readonly resource: string,
    readonly namespace: string,
    readonly serverMessage: string,
  ) {
    const rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["${verb}"]}`;
    super(
      `not allowed to ${verb} ${resource} in namespace ${namespace}: ` +
        `add to a Role of this service account the rule ${rule} (403 ${serverMessage})`,
    );
    this.rule = rule;
  }
}

/** The namespace does not exist or is being deleted. */
export class NamespaceError extends SyncError {
  readonly code = 'ERR_NAMESPACE';
  constructor(
    readonly namespace: string,
    readonly serverMessage: string,
  ) {
    super(
      `no Lease can be created in namespace ${namespace}: ${serverMessage}; ` +
        'create the namespace, or name another one by the option "namespace"',
    );
  }
}

/** Neither a kubeconfig nor an in-cluster service account was found. */
export class NoClusterConfigError extends SyncError {
  readonly code = 'ERR_NO_CLUSTER_CONFIG';
  constructor(
    /** The places that were looked at. */
    readonly looked: readonly string[],
    cause?: unknown,
  ) {
    super(
      `no cluster configuration found; looked for: ${looked.join(', ')}. ` +
        'Pass a kubeConfig to LeaseClient, or, for tests and trials, start an embedded server: ' +
        "startLeaseServer() from '@metaparticle/sync/testing'",
      { cause },
    );
  }
}

/** No usable answer from the API server: refused, reset, timed out, overloaded or not to be trusted (TLS). */
export class ApiUnreachableError extends SyncError {
  readonly code = 'ERR_API_UNREACHABLE';
  constructor(
    message: string,
    readonly server: string,
    init: SyncErrorInit = {},
  ) {
    super(message, { retryable: true, ...init });
  }
}

/** The API server, or an admission webhook behind it, refused the request; its own words are in the message. */
export class ApiError extends SyncError {
  readonly code = 'ERR_API';
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly serverMessage: string,
    init: SyncErrorInit = {},
  ) {
    super(`the API server refused the request (${status} ${reason}): ${serverMessage}`, init);
  }
}

/** A Lease that is not ours to take: coordinated election, or versions that no token can be made of. */
export class UnsupportedLeaseError extends SyncError {
  readonly code = 'ERR_UNSUPPORTED_LEASE';
  constructor(
    readonly lease: string,
    readonly why: string,
  ) {
    super(`Lease ${lease} cannot be used: ${why}`);
  }
}

/** The client was closed. */
export class ClosedError extends SyncError {
  readonly code = 'ERR_CLOSED';
  constructor() {
    super('this LeaseClient is closed; make a new one to acquire again');
  }
}

/** Something that works but deserves a look; handed to `onWarning`, once per matter. */
export class SyncWarning extends SyncError {
  readonly code: SyncWarningCode;
  constructor(code: SyncWarningCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
