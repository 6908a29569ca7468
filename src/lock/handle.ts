import { LockLostError } from '../errors.js';
import type { Keeper } from '../lease/keeper.js';

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
  constructor(keeper: Keeper, name: string, token: bigint, keepAlive: () => () => void) {
    this.#keeper = keeper;
    this.#keepAlive = keepAlive;
    this.name = name;
    this.fencingToken = token;
  }

  /**
   * Aborted, with a LockLostError as its reason, once the lock may no longer be ours: before anyone else may
   * have it, as long as the event loop runs; also when the client is closed under it. Not by our own release.
   */
  get signal(): AbortSignal {
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
    const letGo = this.#keepAlive();
    this.#keeper.isHeld();
    this.#keeper.stop();
    await this.#keeper.ended;
    letGo();
    return this.#keeper.end?.how === 'released';
  }
}
