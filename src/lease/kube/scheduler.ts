/**
 * Which request leaves next, and when: the order among them, and what failures say about that.
 *
 * A failure is evidence about one of two things:
 *
 * - No answer, or a broken connection, speaks about the server and the way to it. It shuts the gate for all requests:
 *   the server is probed by one request at a time, however many leases the client holds, until an answer comes.
 * - An answer of 5xx or 429 speaks about what was asked: a webhook or a quota of one namespace, or a single object that
 *   etcd does not take. The next requests for that are *retries*: they leave one at a time, what failed least first, and
 *   while others wait, at most every second request is a retry. In an outage in which a proxy answers 503 for the
 *   server, each lease fails once, and then all are retries.
 *
 * So leases that fail take nothing from those that do not, and a server in trouble is not flooded either: nothing is
 * repeated at a higher rate than one probe each 250 ms. The first retry that succeeds lets the others go.
 *
 * Pure: every time is handed in, on one monotonic clock.
 */
import type { Lane } from '../store.js';
import { Failures, isTrouble, type Target } from './failures.js';
import { Gate } from './gate.js';
import { LaneQueue } from './queue.js';

export interface Scheduled {
  readonly call: Target;
  readonly lane: Lane;
  readonly deadline: number;
}

interface Waiting<T> {
  readonly item: T;
  readonly lane: Lane;
  readonly deadline: number;
  isRetry: boolean;
  /** Among retries, lower goes first. */
  readonly rank: number;
  /** Not before, since the server asked for it. */
  readonly notBefore: number;
}

/** A server that asked for a pause is asked again when this little is left until the deadline. */
const LAST_CHANCE_MS = 1_000;

export class Scheduler<T extends Scheduled> {
  readonly #waiting = new Map<T, Waiting<T>>();
  readonly #fresh = new LaneQueue<Waiting<T>>(({ deadline }) => deadline);
  readonly #retries = new LaneQueue<Waiting<T>>(({ rank }) => rank);
  readonly #failures = new Failures();
  /** Shut while nothing is known to reach the server. */
  readonly #server = new Gate();
  /** Shut while the last retry failed. */
  readonly #trouble = new Gate();
  #wasRetry = false;
  /** When the latest request was sent that was answered well. */
  #goodSentAt = -Infinity;

  push(item: T): void {
    const { call, lane, deadline } = item;
    const isRetry = this.#failures.has(call);
    const notBefore = Math.min(this.#failures.pausedUntil(call), deadline - LAST_CHANCE_MS);
    const rank = this.#failures.rank(call, deadline);
    const waiting = { item, lane, deadline, isRetry, rank, notBefore };
    this.#waiting.set(item, waiting);
    this.#queueOf(waiting).push(waiting);
  }

  remove(item: T): void {
    const waiting = this.#waiting.get(item);
    if (waiting === undefined) return;
    this.#waiting.delete(item);
    this.#queueOf(waiting).remove(waiting);
  }

  /** Takes everything out, in order. */
  drain(): T[] {
    this.#waiting.clear();
    return [...this.#fresh.drain(), ...this.#retries.drain()].map(({ item }) => item);
  }

  /** The request that may leave now, or in how many milliseconds one may. */
  next(now: number): T | number {
    const delay = this.#server.delay(now);
    if (delay > 0) return delay;
    // In an outage the few that may leave are those that would not be of use later.
    const fresh = this.#server.isOpen ? this.#fresh.peek(now) : this.#fresh.first();
    const retry = this.#nextRetry(now);
    if (fresh === undefined) return typeof retry === 'number' ? retry : retry.item;
    return typeof retry === 'number' || this.#wasRetry ? fresh.item : retry.item;
  }

  #nextRetry(now: number): Waiting<T> | number {
    const delay = this.#trouble.delay(now);
    if (delay > 0) return delay;
    const retry = this.#retries.peek(now, ({ notBefore }) => notBefore <= now);
    if (retry !== undefined) return retry;
    let earliest = Infinity;
    for (const { isRetry, notBefore } of this.#waiting.values()) {
      if (isRetry) earliest = Math.min(earliest, notBefore);
    }
    return earliest - now;
  }

  /** `item` leaves. @returns whether it is a retry */
  left(item: T, now: number): boolean {
    const waiting = this.#waiting.get(item);
    if (waiting === undefined) return false;
    this.#waiting.delete(item);
    this.#queueOf(waiting).take(waiting);
    this.#wasRetry = waiting.isRetry;
    this.#server.left(item, now);
    if (waiting.isRetry) this.#trouble.left(item, now);
    return waiting.isRetry;
  }

  /** `item` has ended, or has been without an answer for so long that it decides nothing. */
  done(item: T): void {
    this.#server.done(item);
    this.#trouble.done(item);
  }

  /**
   * An answer came.
   * @param pauseMs how long the server asked to be left alone
   */
  answered(item: T, sentAt: number, status: number, pauseMs: number | null, now: number): void {
    if (isTrouble(status)) {
      const isPause = status === 429 || status === 503;
      this.#failures.failed(item.call, now, isPause ? (pauseMs ?? 0) : 0);
      this.#trouble.shut(sentAt);
      return;
    }
    this.#server.open();
    this.#goodSentAt = Math.max(this.#goodSentAt, sentAt);
    const wasSuspect = this.#failures.isSuspect(item.call);
    if (this.#failures.succeeded(item.call) || wasSuspect) this.#trouble.open();
    if (wasSuspect) this.#sort();
  }

  /**
   * No answer came to what was sent then, or the connection broke.
   * @returns whether that speaks against the server and the connections to it: not when it has failed before, and
   *     what was sent later has been answered meanwhile
   */
  unanswered(item: T, sentAt: number, now: number): boolean {
    const isOwn = this.#failures.has(item.call) && this.#goodSentAt >= sentAt;
    const wasSuspect = this.#failures.isSuspect(item.call);
    this.#failures.unanswered(item.call, now);
    this.#trouble.shut(sentAt);
    if (!wasSuspect && this.#failures.isSuspect(item.call)) this.#sort();
    return !isOwn;
  }

  /** Nothing is known to reach the server: what was sent then did not, as far as can be seen. */
  shut(sentAt: number): void {
    this.#server.shut(sentAt);
  }

  /** Some are retries that were not, or are none any more. */
  #sort(): void {
    for (const waiting of this.#waiting.values()) {
      const isRetry = this.#failures.has(waiting.item.call);
      if (isRetry === waiting.isRetry) continue;
      this.#queueOf(waiting).remove(waiting);
      waiting.isRetry = isRetry;
      this.#queueOf(waiting).push(waiting);
    }
  }

  #queueOf({ isRetry }: Waiting<T>): LaneQueue<Waiting<T>> {
    return isRetry ? this.#retries : this.#fresh;
  }
}
