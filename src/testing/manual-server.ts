/** A server in memory, on a clock that the test moves. */
import { checkKeys, checkMs, checkSeed } from './check.js';
import { ManualClock } from './clock.js';
import type { AdvanceOptions } from './clock.js';
import type { KubeConfigOptions, TestingKubeConfig } from './kubeconfig.js';
import { MemoryWire } from './memory.js';
import { seededRandom } from './random.js';
import { BASE_KEYS, BaseLeaseServer } from './server.js';
import type { BaseLeaseServerOptions } from './server.js';

/** How a server on a manual clock starts. */
export interface ManualLeaseServerOptions extends BaseLeaseServerOptions {
  readonly clock: 'manual';
  /**
   * Decides what is left to chance in the server and its clients, such as pauses: a whole number. UIDs, tokens and
   * nonces are not made from it. @defaultValue 1
   */
  readonly seed?: number | undefined;
}

/** The library looks for clock, chance and wire in the kubeConfig under this key (`src/lease/kube/simulation.ts`). */
const SIMULATION = Symbol.for('metaparticle.sync.simulation');

/**
 * A Lease API server in memory, with the clock that it and its clients use. The clock stands still unless the test
 * moves it, and requests take no time. So a test lets a lease of 15 s expire within milliseconds, and every run of the
 * test is the same.
 *
 * Code of the test takes no time either. A promise that needs time settles only while the clock moves: start the work,
 * move the clock, then await the promise, or do both by {@link advanceUntil}.
 */
export class ManualLeaseServer extends BaseLeaseServer {
  /** A name, not an address: clients in this process reach the server by `kubeConfig`, and no others do. */
  readonly url = 'http://manual.invalid';
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #wire: MemoryWire;

  /** @internal Use `startLeaseServer({ clock: 'manual' })`. */
  constructor(options: ManualLeaseServerOptions) {
    checkKeys('startLeaseServer', options, [...BASE_KEYS, 'seed']);
    const { seed = 1 } = options;
    checkSeed(seed);
    const clock = new ManualClock();
    const random = seededRandom(seed);
    super(options, { clock, random });
    this.#clock = clock;
    this.#random = random;
    this.#wire = new MemoryWire((incoming, responder) => void this.serve(incoming, responder));
  }

  /** Milliseconds since the start of the server, by its clock. */
  get now(): number {
    return this.#clock.monotonic();
  }

  /** The time of day by its clock, which starts at 2030-01-01T00:00:00Z. */
  get date(): Date {
    return new Date(this.#clock.wall());
  }

  /**
   * Moves the clock by `ms`. What becomes due within that time happens in order, each event at its own time and with
   * all its consequences.
   */
  advance(ms: number): Promise<void> {
    checkMs('advance: ms', ms);
    return this.#clock.advance(ms);
  }

  /**
   * Moves the clock until the promise has settled, and returns its outcome, or until the condition holds. Rejects when
   * that takes more than `limitMs` of virtual time, or when no timer is left that could bring it about.
   *
   * Work that is waited for in this way must not call `advance` itself, which waits for this call to end. It pauses by
   * {@link sleep}.
   */
  advanceUntil<T>(promise: Promise<T>, options?: AdvanceOptions): Promise<T>;
  advanceUntil(condition: () => boolean, options?: AdvanceOptions): Promise<void>;
  advanceUntil<T>(
    what: Promise<T> | (() => boolean),
    options: AdvanceOptions = {},
  ): Promise<T | void> {
    checkKeys('advanceUntil', options, ['limitMs']);
    if (options.limitMs !== undefined) checkMs('advanceUntil: limitMs', options.limitMs);
    return this.#clock.advanceUntil(what, options);
  }

  /** Resolves when the clock has been moved by `ms`: for work of a test that takes time. */
  sleep(ms: number): Promise<void> {
    checkMs('sleep: ms', ms);
    return this.#clock.sleep(ms);
  }

  /** Lets `ms` pass in which nothing runs, as when the event loop is blocked. Timers that are due fire afterwards. */
  block(ms: number): void {
    checkMs('block: ms', ms);
    this.#clock.block(ms);
  }

  /** Suspends the machine for `ms`, as closing a laptop does: the time of day goes on, and timers stand still. */
  suspend(ms: number): void {
    checkMs('suspend: ms', ms);
    this.#clock.suspend(ms);
  }

  override kubeConfigFor(options: KubeConfigOptions): TestingKubeConfig {
    const simulation = { clock: this.#clock, random: this.#random, wire: this.#wire };
    return Object.assign(super.kubeConfigFor(options), { [SIMULATION]: simulation });
  }

  /** @internal */
  protected override disconnect(): Promise<void> {
    this.#wire.close();
    return Promise.resolve();
  }
}
