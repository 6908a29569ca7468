import { attemptOf, compete, enter, noticeSelfDeadlock } from '../attempt.js';
import { defaultClient, hostOf, type LeaseClient } from '../client.js';
import {
  AcquireTimeoutError,
  ApiUnreachableError,
  isSyncError,
  type SyncError,
  type SyncWarning,
} from '../errors.js';
import type { LeaseHost } from '../lease/host.js';
import type { Keeper } from '../lease/keeper.js';
import type { Connection } from '../lease/store.js';
import { keyOf } from '../lease/record.js';
import { runInScope, scopesAround } from '../lease/scopes.js';
import type { LeaseView } from '../lease/view.js';
import {
  checkTimeout,
  checkFunction,
  checkName,
  checkSignal,
  rejectUnknown,
  resolveOptions,
  type LeaseOptions,
  type ResolvedOptions,
} from '../options.js';
import { caller } from './caller.js';
import { LockHandle } from './handle.js';
import { Wait } from '../lease/wait.js';

/** Fixed for the life of a Lock. */
export interface LockOptions extends LeaseOptions {
  /** The way to the cluster. Default: one client shared by all who name none, made on first use. */
  readonly client?: LeaseClient | undefined;
}

/** For {@link Lock.tryAcquire}. */
export interface TryAcquireOptions {
  /** Calls the attempt off; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** For {@link Lock.acquire} and {@link Lock.withLock}. */
export interface AcquireOptions extends TryAcquireOptions {
  /** Longest wait in milliseconds, the first request included. Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** What the function given to {@link Lock.withLock} gets. */
export interface Held {
  /** Aborted when the lock is lost: stop the work. */
  readonly signal: AbortSignal;
  /** Hand it to whatever the lock protects, so that a late write can be refused. */
  readonly fencingToken: bigint;
  readonly handle: LockHandle;
}

/** `tryAcquire` gives up on an API server that does not answer for so long. */
const TRY_LIMIT_MS = 5_000;

/**
 * A lock that only one of all who know its name can hold at a time, in the whole cluster.
 *
 * It is kept in the Lease of that name. It promises what the README calls its promises; it does not promise
 * that a process which was paused after asking `isHeld()` has not been overtaken: for that, hand
 * `fencingToken` to what you protect. Not reentrant: two acquisitions of one name exclude each other, also
 * in one process. Waiters of one process are served first come, first served.
 */
export class Lock {
  readonly #client: LeaseClient | undefined;
  readonly #options: ResolvedOptions;
  /** Name of the Lease. */
  readonly name: string;

  /** @throws InvalidOptionError */
  constructor(name: string, options: LockOptions = {}) {
    checkName(name);
    this.#options = resolveOptions(options);
    if (options.client !== undefined) hostOf(options.client);
    this.#client = options.client;
    this.name = name;
  }

  /**
   * Waits until the lock is ours.
   *
   * @throws AcquireTimeoutError when `timeoutMs` is over; the signal's reason; ClosedError; and at once what
   * waiting would not mend: UnauthorizedError, ForbiddenError, NamespaceError, NoClusterConfigError,
   * UnsupportedLeaseError, ApiError. An API server that cannot be reached is waited for.
   */
  async acquire(options: AcquireOptions = {}): Promise<LockHandle> {
    const { handle } = await this.#acquire(options, caller());
    return handle;
  }

  /** @param acquiredAt for a handle that the caller may lose */
  async #acquire(
    options: AcquireOptions,
    acquiredAt: string | null,
  ): Promise<{ readonly handle: LockHandle; readonly server: string }> {
    rejectUnknown(options, ['timeoutMs', 'signal']);
    const { timeoutMs = Infinity, signal } = options;
    checkTimeout('timeoutMs', timeoutMs);
    checkSignal(signal);
    const host = hostOf(this.#getClient());
    const wait = new Wait(host.clock, signals(host, signal), Infinity);
    const run = new Run(this.name, this.#options, host, this.#getClient(), acquiredAt);
    try {
      const handle = await run.acquire(wait, timeoutMs, false);
      if (handle === null) throw new TypeError('only an impatient attempt gives way');
      return { handle, server: run.server };
    } catch (error) {
      if (!wait.isTimedOut || isSyncError(error)) throw error;
      throw timedOut(run, wait.waitedMs);
    }
  }

  /**
   * Takes the lock if nobody holds it: a handle, or `null` when somebody does (or waits for it in this
   * process). A holder that is long dead by the API server's clock is taken over.
   *
   * @throws ApiUnreachableError after 5 s without a usable answer; otherwise as {@link acquire}
   */
  async tryAcquire(options: TryAcquireOptions = {}): Promise<LockHandle | null> {
    const acquiredAt = caller();
    rejectUnknown(options, ['signal']);
    checkSignal(options.signal);
    const host = hostOf(this.#getClient());
    const wait = new Wait(host.clock, signals(host, options.signal), Infinity);
    const run = new Run(this.name, this.#options, host, this.#getClient(), acquiredAt);
    try {
      return await run.acquire(wait, TRY_LIMIT_MS, true);
    } catch (error) {
      if (!wait.isTimedOut || isSyncError(error)) throw error;
      throw noAnswer(run);
    }
  }

  /**
   * Runs `fn` while holding the lock, then releases it.
   *
   * @returns what `fn` resolves with, if the lock was held until then
   * @throws `fn`'s own error, never masked; LockLostError when `fn` resolved after the lock was lost;
   * otherwise as {@link acquire}
   */
  async withLock<T>(
    fn: (held: Held) => T | Promise<T>,
    options: AcquireOptions = {},
  ): Promise<Awaited<T>> {
    checkFunction('fn', fn);
    const { handle, server } = await this.#acquire(options, null);
    const { signal, fencingToken, name: lease } = handle;
    const { overruns } = hostOf(this.#getClient());
    const work = { lease, server, what: 'withLock()', signal, isHeld: () => handle.isHeld() };
    const settled = overruns.begin(work);
    try {
      const value = await runInScope(work, scopesAround(), () =>
        fn({ signal, fencingToken, handle }),
      );
      if (handle.loss !== null) throw handle.loss;
      return value;
    } finally {
      settled();
      await handle.release();
    }
  }

  #getClient(): LeaseClient {
    return this.#client ?? defaultClient();
  }
}

function signals(host: LeaseHost, signal: AbortSignal | undefined): AbortSignal[] {
  return signal === undefined ? [host.closing] : [signal, host.closing];
}

function timedOut({ label, holder, lastFailure, isOwn }: Run, waitedMs: number): SyncError {
  return new AcquireTimeoutError(label, holder, waitedMs, lastFailure, isOwn);
}

function noAnswer({ lastFailure, label, server }: Run): SyncError {
  const why = lastFailure?.message ?? 'no answer';
  const message = `lock ${label}: the API server gave no usable answer within ${TRY_LIMIT_MS} ms: ${why}`;
  return new ApiUnreachableError(message, server, { cause: lastFailure });
}

/** One call of `acquire` or `tryAcquire`. */
class Run {
  readonly #name: string;
  readonly #options: ResolvedOptions;
  readonly #host: LeaseHost;
  readonly #client: LeaseClient;
  readonly #acquiredAt: string | null;
  #view: LeaseView | null = null;
  #keeper: Keeper | null = null;
  #connection: Connection | null = null;

  constructor(
    name: string,
    options: ResolvedOptions,
    host: LeaseHost,
    client: LeaseClient,
    acquiredAt: string | null,
  ) {
    this.#name = name;
    this.#options = options;
    this.#host = host;
    this.#client = client;
    this.#acquiredAt = acquiredAt;
  }

  get label(): string {
    return this.#view === null ? this.#name : keyOf(this.#view.key);
  }

  get holder(): string | null {
    return this.#view?.holder ?? null;
  }

  /** Whether the holder last seen is another acquisition of this client. */
  get isOwn(): boolean {
    return this.#view?.isHeldHere === true;
  }

  get lastFailure(): SyncError | undefined {
    const isSilent = this.#view === null || this.#view.sight.kind === 'unknown';
    const silence = isSilent ? new ApiUnreachableError('no answer yet', this.server) : undefined;
    return this.#keeper?.lastFailure ?? silence;
  }

  get server(): string {
    return this.#connection?.server ?? 'unknown';
  }

  /** The time limit covers requests, and not the loading of the configuration: slow processors need seconds for it. */
  async acquire(wait: Wait, timeoutMs: number, isImpatient: boolean): Promise<LockHandle | null> {
    const letGo = this.#options.keepProcessAlive ? this.#host.keepAlive() : null;
    let stopNoticing = (): void => undefined;
    try {
      wait.signal.throwIfAborted();
      const { connection, view } = await enter(this.#client, this.#options, this.#name, wait);
      this.#connection = connection;
      this.#view = view;
      wait.limit(timeoutMs);
      if (isImpatient && view.turns.isTaken) return null;
      const { leaseDurationMs } = this.#options;
      stopNoticing = noticeSelfDeadlock(this.#host, view, connection.server, leaseDurationMs);
      const pass = await view.turns.take(wait.signal);
      try {
        return await wait.race(this.#compete(view, connection, wait, isImpatient));
      } finally {
        pass();
      }
    } finally {
      stopNoticing();
      wait.done();
      letGo?.();
    }
  }

  #compete(
    view: LeaseView,
    connection: Connection,
    wait: Wait,
    isImpatient: boolean,
  ): Promise<LockHandle | null> {
    const host = this.#host;
    const attempt = attemptOf(this.#options, this.#client, isImpatient ? 'try' : 'hold');
    const ports = {
      keepAlive: () => host.keepAlive(),
      warn: (warning: SyncWarning) => host.warn(warning),
      acquiredAt: this.#acquiredAt,
    };
    return new Promise((resolve, reject) => {
      // Forgotten once it is settled: the hooks last as long as the term, and would keep a dropped handle alive.
      let settle: { readonly resolve: typeof resolve; readonly reject: typeof reject } | null;
      settle = { resolve, reject };
      const keeper = compete(wait, (hooks) => host.attempt(view, connection, attempt, hooks), {
        acquired: () => {
          settle?.resolve(new LockHandle(keeper, keyOf(view.key), keeper.token ?? 0n, ports));
          settle = null;
        },
        failed: (error) => settle?.reject(error),
        busy: () => settle?.resolve(null),
        ended: () => undefined,
      });
      this.#keeper = keeper;
    });
  }
}
