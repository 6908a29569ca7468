import { defaultClient, hostOf, type LeaseClient } from '../client.js';
import { InvalidOptionError } from '../errors.js';
import { checkDuration, checkName, checkSignal, rejectUnknown } from '../options.js';
import { Candidacy } from './candidacy.js';
import { observe, type Leader } from './observer.js';
import { resolveElection, type ElectionOptions, type ResolvedElection } from './options.js';

/** For {@link Election.run} and {@link Election.observe}. */
export interface RunOptions {
  /** Ends it quietly. */
  readonly signal?: AbortSignal | undefined;
}

/** For {@link Election.stepDown}. */
export interface StepDownOptions {
  /** How long to stay out of the race afterwards, in milliseconds. Default: the lease duration. */
  readonly cooldownMs?: number | undefined;
}

/**
 * One leader among all processes that run an election of this name.
 *
 * While `run()` is running it campaigns, leads, and campaigns again when a term has ended. The lease is let
 * go only after the callback has wound down, so that the next leader does not overlap with the work of this
 * one, unless the leadership was lost. What the README promises of locks holds for leaders.
 */
export class Election {
  readonly #client: LeaseClient | undefined;
  readonly #resolved: ResolvedElection;
  #candidacy: Candidacy | null = null;
  #work: Promise<void> = Promise.resolve();
  /** Name of the Lease. */
  readonly name: string;

  /** @throws InvalidOptionError */
  constructor(name: string, options: ElectionOptions) {
    checkName(name);
    this.#resolved = resolveElection(options);
    if (options.client !== undefined) hostOf(options.client);
    this.#client = options.client;
    this.name = name;
  }

  /**
   * Takes part until `signal` aborts; then drains, releases and resolves.
   *
   * @throws the error of a callback that failed; ClosedError; and on the first campaign what waiting would
   * not mend: UnauthorizedError, ForbiddenError, NamespaceError, NoClusterConfigError, UnsupportedLeaseError
   */
  async run(options: RunOptions = {}): Promise<void> {
    rejectUnknown(options, ['signal']);
    checkSignal(options.signal);
    if (this.#candidacy !== null) {
      throw new InvalidOptionError('run', this.name, 'runs already for this election');
    }
    this.#candidacy = new Candidacy(this.name, this.#getClient(), this.#resolved, this.#work);
    try {
      await this.#candidacy.run(options.signal);
    } finally {
      this.#work = this.#candidacy.work;
      this.#candidacy = null;
    }
  }

  /** Whether this process surely leads at this moment, winding down included. Asks the clocks at every call. */
  isLeader(): boolean {
    return this.#candidacy?.term?.isHeld() ?? false;
  }

  /** Identity of the leader last seen while `run()` is running; `null` when there is none, or none is known. */
  get leader(): string | null {
    return this.#candidacy?.leader?.identity ?? null;
  }

  /** Token of the own term while it lasts, else `null`. */
  get fencingToken(): bigint | null {
    return this.#candidacy?.term?.token ?? null;
  }

  /**
   * Ends the own term, if there is one: drains, releases; and stays out of the race for a while. Does nothing
   * unless `run()` is running.
   *
   * Resolves when the lease was let go. While the leading callback is running it resolves as soon as that was asked
   * to wind down: the callback may be what waits for it, and the lease is let go only when the callback has ended.
   * `onStoppedLeading` tells when the term is over.
   */
  async stepDown(options: StepDownOptions = {}): Promise<void> {
    rejectUnknown(options, ['cooldownMs']);
    const { cooldownMs = this.#resolved.lease.leaseDurationMs } = options;
    checkDuration('cooldownMs', cooldownMs);
    await this.#candidacy?.stepDown(cooldownMs);
  }

  /**
   * Looks on, without taking part: who leads now, then the newest whenever it changed; `null` for nobody.
   * An overdue leader is shown until somebody takes over. Ends when the signal aborts.
   *
   * @throws as {@link Election.run} on the first campaign
   */
  observe(options: RunOptions = {}): AsyncGenerator<Leader | null, void, undefined> {
    rejectUnknown(options, ['signal']);
    checkSignal(options.signal);
    return observe(this.#getClient(), this.#resolved.lease, this.name, options.signal);
  }

  #getClient(): LeaseClient {
    return this.#client ?? defaultClient();
  }
}
