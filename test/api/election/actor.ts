// A candidate that a random story pushes about: it runs, is stopped, runs again, and its work takes the
// time that chance gives it.
import { Election, isSyncError } from '@metaparticle/sync';
import type { ElectionOptions, Leading } from '@metaparticle/sync';
import { isPending, sleep } from '../../support/promises.js';
import type { History } from './history.js';

export type Random = (limit: number) => number;

/** The error of work that fails on purpose. */
class Mishap extends Error {}

export class Actor {
  readonly name: string;
  /** Whom the API server takes it for. */
  readonly user: string;
  readonly election: Election;
  /** Refusals of its user that may make `run()` reject. */
  mayBeRefused = false;
  /** It was asked to end the term that it has. */
  isAsked = false;
  readonly #history: History;
  readonly #random: Random;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();

  constructor(
    [name, user]: readonly [string, string],
    options: Partial<ElectionOptions>,
    history: History,
    random: Random,
  ) {
    this.name = name;
    this.user = user;
    this.#history = history;
    this.#random = random;
    this.election = new Election('crown', {
      ...options,
      identity: name,
      onStartedLeading: (leading) => (this.#work = this.#lead(leading)),
      onStoppedLeading: (reason) => history.stopped(name, reason),
    });
    history.enter(this);
  }

  /** Resolves when `run()` and the work that it started have ended. */
  async ended(): Promise<void> {
    await this.#running;
    await this.#work.catch(() => undefined);
  }

  async isRunning(): Promise<boolean> {
    return isPending(this.#running);
  }

  run(): void {
    this.#stop = new AbortController();
    this.#running = this.#run(this.#stop.signal);
  }

  stop(): void {
    this.isAsked = true;
    this.#history.aborted(this.name);
    this.#stop.abort();
  }

  stepDown(): void {
    this.isAsked = true;
    this.#history.steppedDown(this.name);
    void this.election.stepDown({ cooldownMs: this.#random(400) });
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      await this.election.run({ signal });
      if (!signal.aborted) this.#history.broken(`${this.name}: run() ended unasked`);
    } catch (error) {
      this.#history.note(`${this.name}: run() rejects, ${String(error)}`);
      if (error instanceof Mishap) return;
      const isRefusal = isSyncError(error, 'ERR_FORBIDDEN');
      if (!isRefusal || !this.mayBeRefused) {
        this.#history.broken(`${this.name}: run() rejects with ${String(error)}`);
      }
    }
  }

  async #lead(leading: Leading): Promise<void> {
    this.isAsked = false;
    this.#history.started(this.name, leading);
    const kind = this.#random(10);
    let askedAt = NaN;
    leading.signal.addEventListener('abort', () => (askedAt = performance.now()), { once: true });
    // Some work is done at once, some fails, most goes on until it is asked to end and takes a while.
    if (kind >= 2) await this.#until(leading.signal, kind === 2 ? this.#random(800) : Infinity);
    else if (kind === 1) await sleep(this.#random(200));
    if (kind > 2) await sleep(kind > 7 ? 900 : this.#random(300));
    this.#history.settling(this.name, leading, performance.now() - askedAt);
    if (kind !== 2 || leading.signal.aborted) return;
    this.#history.failing(this.name);
    throw new Mishap('on purpose');
  }

  async #until(signal: AbortSignal, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!signal.aborted && performance.now() < end) await sleep(5);
  }
}
