import { report } from '../callbacks.js';
import { isSyncError } from '../errors.js';
import type { Keeper } from '../lease/keeper.js';
import type { Work } from '../lease/overruns.js';
import { runInScope, type Scope, type Scopes } from '../lease/scopes.js';
import type { ElectionCallbacks, Leading, StopReason } from './options.js';

/** Which lease it is, and what the election was run in. */
export interface TermPlace {
  readonly lease: string;
  readonly server: string;
  readonly around: Scopes | undefined;
}

/**
 * One term of leadership: runs the callback, drains it before the lease is let go, and tells the reason for
 * the end exactly once. It never looks at a clock: the keeper does.
 */
export class Term implements Scope {
  readonly lease: string;
  readonly server: string;
  readonly what = 'the leading callback';
  readonly #around: Scopes | undefined;
  readonly #keeper: Keeper;
  readonly #callbacks: ElectionCallbacks;
  readonly #wind = new AbortController();
  readonly #authority = new AbortController();
  readonly #ended: Promise<void>;
  readonly #over: Promise<void>;
  #finish: () => void = () => undefined;
  #work: Promise<void> = Promise.resolve();
  #error: { readonly value: unknown } | null = null;
  #why: StopReason | null = null;
  #isTold = false;
  #isWorking = false;
  #cancelDrain: (() => void) | null = null;

  constructor(keeper: Keeper, callbacks: ElectionCallbacks, place: TermPlace) {
    this.lease = place.lease;
    this.server = place.server;
    this.#around = place.around;
    this.#keeper = keeper;
    this.#callbacks = callbacks;
    this.#ended = new Promise<void>((resolve) => (this.#finish = resolve));
    this.#over = this.#ended.then(() => keeper.ended);
    // In the tick of the loss: the work must hear of it before anybody else may lead.
    keeper.signal.addEventListener('abort', () => this.#lose(keeper.signal.reason), { once: true });
  }

  /** Resolves when it is not led any more; its lease may still be on the way to be released. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Resolves when it is not led any more, and nothing is done for its lease: released, or left alone. */
  get over(): Promise<void> {
    return this.#over;
  }

  /** Whether the leading callback is under way. */
  get isWorking(): boolean {
    return this.#isWorking;
  }

  /** Settles with the leading callback; never rejects. */
  get settled(): Promise<void> {
    return this.#work;
  }

  /** An error of the callbacks, to be passed on. */
  get error(): { readonly value: unknown } | null {
    return this.#error;
  }

  isHeld(): boolean {
    return !this.#isTold && this.#keeper.isHeld();
  }

  get token(): bigint | null {
    return this.isHeld() ? this.#keeper.token : null;
  }

  start(): void {
    const { signal } = this.#wind;
    const leading = {
      signal,
      lostSignal: this.#authority.signal,
      fencingToken: this.#keeper.token ?? 0n,
    };
    // There before the callback runs: it may well ask to step down at once.
    let settle: () => void = () => undefined;
    this.#work = new Promise((resolve) => (settle = resolve));
    this.#isWorking = true;
    void this.#lead(leading).then(() => {
      this.#isWorking = false;
      settle();
    });
  }

  async #lead(leading: Leading): Promise<void> {
    try {
      await runInScope(this, this.#around, () => this.#callbacks.onStartedLeading(leading));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What is running, for whoever asks whether it goes on without authority. */
  get running(): Work {
    const { lease } = this;
    return { lease, signal: this.#authority.signal, isHeld: () => this.isHeld() };
  }

  /** Asks the work to wind down, and lets go of the lease once it has. The first reason counts. */
  drain(reason: StopReason, whenOverdue: (callback: () => void) => () => void): void {
    if (this.#why !== null) return;
    this.#why = reason;
    this.#wind.abort(new DOMException(`the term ends: ${reason}`, 'AbortError'));
    this.#cancelDrain = whenOverdue(() => this.#giveUp());
    void this.#work.then(() => this.#release(reason));
  }

  /** The lease was let go from elsewhere: the client is being closed. */
  cut(): void {
    this.#end(this.#why ?? 'aborted', new DOMException('the client was closed', 'AbortError'));
  }

  /** The work did not wind down in time. The lease runs out unreleased: the work has the rest of it. */
  #giveUp(): void {
    this.#keeper.isHeld();
    const overdue = new DOMException('the drain took too long', 'TimeoutError');
    this.#end(this.#why ?? 'aborted', overdue, () => this.#keeper.abandon());
  }

  #lose(loss: unknown): void {
    const isRevoked = isSyncError(loss, 'ERR_LOCK_LOST') && loss.reason === 'released';
    this.#end(isRevoked ? 'aborted' : 'lost', loss);
  }

  #fail(error: unknown): void {
    // What was asked to stop may well say so by rejecting; that is no failure. By name: an error of another
    // realm is no `Error` of ours, and test runners make realms.
    const [{ signal }, { signal: lost }] = [this.#wind, this.#authority];
    const isAbort =
      (error as { readonly name?: unknown } | null | undefined)?.name === 'AbortError';
    const isTold = error === signal.reason || error === lost.reason;
    if (signal.aborted && (isAbort || isTold)) return;
    this.#error ??= { value: error };
    if (this.#why === null) this.#release('failed');
  }

  #release(reason: StopReason): void {
    // A loss that nobody noticed yet is the reason.
    this.#keeper.isHeld();
    const over = new DOMException(`the term ended: ${reason}`, 'AbortError');
    this.#end(reason, over, () => this.#keeper.stop());
  }

  #end(reason: StopReason, gone: unknown, letGo?: () => void): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#why = reason;
    this.#cancelDrain?.();
    // Before the lease is let go: from then on somebody else may lead.
    this.#wind.abort(gone);
    this.#authority.abort(gone);
    letGo?.();
    try {
      report(this.#callbacks.onStoppedLeading?.(reason));
    } catch (error) {
      this.#error ??= { value: error };
    }
    this.#finish();
  }
}
