/** A server without sockets, on a clock that the test moves. */
import { checkKeys } from './check.js';
import { ManualClock } from './clock.js';
import type { AdvanceOptions } from './clock.js';
import type { KubeConfigOptions, TestingKubeConfig } from './kubeconfig.js';
import { MemoryWire } from './memory.js';
import { seededRandom } from './random.js';
import { COMMON_KEYS, LeaseServerBase } from './server.js';
import type { CommonOptions } from './server.js';

/** How a server on a clock of its own starts. */
export interface ManualLeaseServerOptions extends CommonOptions {
  readonly clock: 'manual';
  /** Decides everything that is left to chance, here and in the clients. @defaultValue 1 */
  readonly seed?: number | undefined;
}

/** The library finds it at the kubeConfig under this key. */
const SIMULATION = Symbol.for('metaparticle.sync.simulation');

/**
 * A Lease API server in this process, and the time that it and its clients go by. Requests take no time. The clock
 * stands still unless it is moved, so that a lease of 15 s runs out in a test of milliseconds, at the same point in
 * every run.
 *
 * What the test does between `advance` calls happens in no time. A promise that needs time to pass settles only while
 * the clock moves: start it, move the clock, then await it, or use {@link advanceUntil}.
 */
export class ManualLeaseServer extends LeaseServerBase {
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #wire: MemoryWire;

  /** @internal Use `startLeaseServer({ clock: 'manual' })`. */
  constructor(options: ManualLeaseServerOptions) {
    checkKeys('startLeaseServer', options, [...COMMON_KEYS, 'seed']);
    const clock = new ManualClock();
    const random = seededRandom(options.seed ?? 1);
    super(options, { clock, random });
    this.#clock = clock;
    this.#random = random;
    this.#wire = new MemoryWire((incoming, responder) => void this.serve(incoming, responder));
  }

  /** Not an address: only clients in this process reach it, by `kubeConfig`. */
  get url(): string {
    return 'http://manual.invalid';
  }

  /** Milliseconds that the clock has been moved by so far. */
  get now(): number {
    return this.#clock.monotonic();
  }

  /** What the wall clock shows: it starts at 2030-01-01T00:00:00Z. */
  get date(): Date {
    return new Date(this.#clock.wall());
  }

  /**
   * Moves the clock by `ms`. Everything that becomes due by then happens in order, each at its own moment, together
   * with what follows from it.
   */
  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /**
   * Moves the clock until the promise has settled, and gives what it came to, or until the condition holds. Rejects
   * when that takes more than `limitMs` of this clock, or when nothing is left that could bring it about.
   */
  advanceUntil<T>(promise: Promise<T>, options?: AdvanceOptions): Promise<T>;
  advanceUntil(condition: () => boolean, options?: AdvanceOptions): Promise<void>;
  advanceUntil<T>(
    what: Promise<T> | (() => boolean),
    options: AdvanceOptions = {},
  ): Promise<T | void> {
    checkKeys('advanceUntil', options, ['limitMs']);
    return this.#clock.advanceUntil(what, options);
  }

  /** Resolves once the clock has been moved by `ms`: for work of a test that takes its time. */
  sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms);
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
