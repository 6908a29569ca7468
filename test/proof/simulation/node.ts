import type { Clock, Instant } from '../../../src/lease/clock.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { Schedule } from './schedule.js';

/** What makes one process's time differ from another's, and the way of its messages. */
export interface Timekeeping {
  /** Its own milliseconds per millisecond of the world. */
  readonly rate: number;
  readonly wallAheadMs: number;
  /** How much of all of its suspensions together no clock of it sees. */
  readonly unseenMs: number;
  readonly distanceMs: number;
}

type Kind = 'timer' | 'io';

const EPOCH = 1_750_000_000_000;
/** `setTimeout` is late by so much, at most, on an idle node. */
const TIMER_LATENESS_MS = 1.2;

/**
 * One operating system process from its start to its end, as code in it sees it: its clocks, its
 * timers, its event loop. While the loop stalls, what is due waits, and the clocks go on.
 */
export class SimulatedNode implements Clock {
  readonly name: string;
  /** Distinguishes it from earlier and later processes of the same name. */
  readonly id: string;
  readonly rate: number;
  readonly unseenMs: number;
  readonly distanceMs: number;
  readonly #schedule: Schedule;
  readonly #prng: Prng;
  readonly #enter: (node: SimulatedNode, act: () => void) => void;
  readonly #startedAt: number;
  readonly #timers = new Set<object>();
  readonly #backlog: { readonly kind: Kind; readonly act: () => void }[] = [];
  #wallAheadMs: number;
  #stalledUntil = -Infinity;
  #suspendedAt: number | null = null;
  #suspendedMs = 0;
  #missedMs = 0;
  #isDead = false;
  #awakeSince = 0;
  #awakeMonotonic = -1;
  #resumedAt = -Infinity;

  constructor(
    name: string,
    incarnation: number,
    { rate, wallAheadMs, unseenMs, distanceMs }: Timekeeping,
    schedule: Schedule,
    prng: Prng,
    enter: (node: SimulatedNode, act: () => void) => void,
  ) {
    this.name = name;
    this.id = `${name}.${incarnation}`;
    this.rate = rate;
    this.unseenMs = unseenMs;
    this.distanceMs = distanceMs;
    this.#wallAheadMs = wallAheadMs;
    this.#schedule = schedule;
    this.#prng = prng;
    this.#enter = enter;
    this.#startedAt = schedule.now;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Until the loop has come back: other things may be due at the very moment. */
  get isStalled(): boolean {
    return this.#awakeSince < this.#stalledUntil;
  }

  /** When the loop last came back from a stall, in the world's time. */
  get awakeSince(): number {
    return this.#awakeSince;
  }

  /** When its last suspension ended, in the world's time: timers set before it ring late by its length. */
  get resumedAt(): number {
    return this.#resumedAt;
  }

  /** {@link awakeSince} on its own monotonic clock. */
  get stalledUntil(): number {
    return this.#awakeMonotonic;
  }

  /** Timers of the library that have not fired. */
  get timers(): number {
    return this.#timers.size;
  }

  get elapsed(): number {
    return (this.#schedule.now - this.#startedAt - this.#missed()) * this.rate;
  }

  now(): Instant {
    const wall = EPOCH + this.#schedule.now + this.#wallAheadMs;
    return { monotonic: this.monotonic(), elapsed: this.elapsed, wall };
  }

  monotonic(): number {
    const now = this.#suspendedAt ?? this.#schedule.now;
    return (now - this.#startedAt - this.#suspendedMs) * this.rate;
  }

  /** When the world's clock shows what will be this node's elapsed time. */
  worldAt(elapsed: number): number {
    return this.#startedAt + this.#missed() + elapsed / this.rate;
  }

  /** Its clocks miss the beginning of what is suspended, until they have missed all that they may. */
  #missed(): number {
    const suspended = this.#suspendedAt === null ? 0 : this.#schedule.now - this.#suspendedAt;
    return Math.min(this.#missedMs + suspended, this.unseenMs);
  }

  after(ms: number, callback: () => void): () => void {
    const timer = {};
    this.#timers.add(timer);
    const cancel = this.#wake(ms, () => {
      this.#timers.delete(timer);
      callback();
    });
    return () => {
      this.#timers.delete(timer);
      cancel();
    };
  }

  /** For the work that is done on it: not counted among the library's timers. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#wake(ms, resolve));
  }

  keepAlive(): () => void {
    return () => undefined;
  }

  /** Something arrives from the network. */
  receive(act: () => void): void {
    this.#run('io', act);
  }

  /** The event loop does nothing for a while. */
  stall(ms: number): void {
    const until = this.#schedule.now + ms;
    if (this.#isDead || until <= this.#stalledUntil) return;
    this.#stalledUntil = until;
    this.#schedule.at(until, () => this.#wakeUp());
  }

  /** As a stall, and the monotonic clock stands still. */
  suspend(ms: number): void {
    if (this.#isDead || this.#suspendedAt !== null) return;
    const since = this.#schedule.now;
    this.#suspendedAt = since;
    this.stall(ms);
    this.#schedule.in(ms, () => {
      this.#missedMs = this.#missed();
      this.#suspendedAt = null;
      this.#suspendedMs += this.#schedule.now - since;
      this.#resumedAt = this.#schedule.now;
    });
  }

  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs;
  }

  kill(): void {
    this.#isDead = true;
    this.#backlog.length = 0;
  }

  #wake(ms: number, act: () => void): () => void {
    const dueAt = this.monotonic() + Math.max(ms, 1);
    let cancel: () => void = () => undefined;
    const arm = (): void => {
      const left = (dueAt - this.monotonic()) / this.rate;
      const late = this.#prng.next() * TIMER_LATENESS_MS;
      cancel = this.#schedule.in(left + late, () => this.#run('timer', ring));
    };
    let isOff = false;
    const ring = (): void => {
      if (isOff) return;
      if (this.monotonic() < dueAt) arm();
      else act();
    };
    if (ms < Infinity) arm();
    return () => {
      isOff = true;
      cancel();
    };
  }

  #run(kind: Kind, act: () => void): void {
    if (this.#isDead) return;
    if (this.isStalled) this.#backlog.push({ kind, act });
    else this.#enter(this, act);
  }

  /** The loop comes to what has piled up: timers first, or the network first. */
  #wakeUp(): void {
    if (this.#schedule.now < this.#stalledUntil || this.#isDead) return;
    this.#awakeSince = this.#schedule.now;
    this.#awakeMonotonic = this.monotonic();
    const first: Kind = this.#prng.is(0.5) ? 'timer' : 'io';
    const waiting = this.#backlog.splice(0);
    const inOrder = [
      ...waiting.filter(({ kind }) => kind === first),
      ...waiting.filter(({ kind }) => kind !== first),
    ];
    for (const { kind, act } of inOrder) this.#schedule.in(0, () => this.#run(kind, act));
  }
}
