import { LockLostError, SyncWarning } from '../errors.js';
import type { Keeper } from '../lease/keeper.js';

/** What is left of a handle that was garbage-collected. It must not lead back to it. */
interface Remains {
  readonly keeper: Keeper;
  readonly name: string;
  readonly acquiredAt: string;
  readonly warn: (warning: SyncWarning) => void;
}

const dropped = new FinalizationRegistry<Remains>(({ keeper, name, acquiredAt, warn }) => {
  // Lost meanwhile, or the client was closed: nothing is left to release.
  if (!keeper.isHeld()) return;
  const message =
    `lock ${name}: its handle was garbage-collected without release(); it stays held for as long as this process ` +
    `lives, since nothing can release it any more. It was acquired ${acquiredAt}`;
  warn(new SyncWarning('HANDLE_DROPPED', message));
});

/** What a handle needs of the client that it was acquired by. */
export interface HandlePorts {
  readonly keepAlive: () => () => void;
  readonly warn: (warning: SyncWarning) => void;
  /** Where it was acquired, in words; `null` where the handle cannot get lost. */
  readonly acquiredAt: string | null;
}

/**
 * A lock that was acquired. It is renewed by itself until it is released or lost; there is nothing to
 * extend, and a lost one never comes back.
 */
export class LockHandle implements AsyncDisposable {
  readonly #keeper: Keeper;
  readonly #keepAlive: () => () => void;
  #release: Promise<boolean> | null = null;

  /** Full name of the Lease, `namespace/name`. */
  readonly name: string;
  /** Strictly greater than that of every earlier acquisition of this name, by whomever. */
  readonly fencingToken: bigint;

  /** @internal */
  constructor(keeper: Keeper, name: string, token: bigint, ports: HandlePorts) {
    this.#keeper = keeper;
    this.#keepAlive = ports.keepAlive;
    this.name = name;
    this.fencingToken = token;
    const { acquiredAt, warn } = ports;
    if (acquiredAt !== null) dropped.register(this, { keeper, name, acquiredAt, warn }, this);
  }

  /**
   * Aborted, with a LockLostError as its reason, once the lock may no longer be ours: before anyone else may
   * have it, as long as the event loop runs; also when the client is closed under it. Not by our own release.
   */
  get signal(): AbortSignal {
    // Whoever has the signal may go by it alone. It lasts as long as the term, so the handle counts as in use.
    dropped.unregister(this);
    return this.#keeper.signal;
  }

  /**
   * Whether the lock is surely ours at this moment. Asks the clocks at every call, so it is right also after
   * the event loop was blocked or the machine suspended; on `false` after a loss, `signal` is aborted already.
   */
  isHeld(): boolean {
    return this.#release === null && this.#keeper.isHeld();
  }

  /** How long {@link isHeld} stays true without another renewal, in milliseconds; 0 when it is not held. */
  remainingMs(): number {
    return this.#release === null ? this.#keeper.remainingMs() : 0;
  }

  /** @throws LockLostError unless {@link isHeld} */
  assertHeld(): void {
    if (this.isHeld()) return;
    throw this.loss ?? new LockLostError(this.name, 'released', this.fencingToken);
  }

  /** The reason for a loss, `null` while there is none and after our own release. */
  get loss(): LockLostError | null {
    this.#keeper.isHeld();
    const { signal } = this.#keeper;
    return signal.aborted ? (signal.reason as LockLostError) : null;
  }

  /**
   * Gives the lock back; from the call on, {@link isHeld} is false. Idempotent, never rejects, settles within
   * 5 s: `true` when the API server confirmed it, `false` when the lock was lost before, or could not be
   * released in time and is left to run out.
   */
  release(): Promise<boolean> {
    this.#release ??= this.#giveBack();
    return this.#release;
  }

  /** Plain data for logs; the token as a decimal string. */
  toJSON(): Record<string, unknown> {
    return { name: this.name, fencingToken: this.fencingToken.toString(), held: this.isHeld() };
  }

  /** As {@link release}; never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #giveBack(): Promise<boolean> {
    dropped.unregister(this);
    const letGo = this.#keepAlive();
    this.#keeper.isHeld();
    this.#keeper.stop();
    await this.#keeper.ended;
    letGo();
    return this.#keeper.end?.how === 'released';
  }
}
