/**
 * Questions for credentials. There may be a program behind each that runs for seconds, or for ever: a plugin that waits
 * for a terminal, or for a metadata service that is not there. One that is never answered must cost no lease.
 */
import type { Clock } from '../clock.js';
import type { Authorized } from './authorized.js';
import type { Lifetime } from './lifetime.js';

export interface CredentialsOptions {
  readonly ask: () => Promise<Authorized>;
  readonly lifetimeOf: (answer: Authorized) => Lifetime;
  readonly clock: Clock;
}

interface Question {
  readonly number: number;
  readonly askedAt: number;
}

interface Answer {
  /** Of its question. */
  readonly number: number;
  readonly authorized: Authorized;
  readonly at: number;
  readonly lifetime: Lifetime;
}

interface Waiter {
  resolve(authorized: Authorized): void;
  reject(error: Error): void;
}

/** As long as a request waits for its answer: the last good credentials are used meanwhile. */
const LIMIT_MS = 650;
/** The question may have been lost: it is asked again. */
const ASK_AGAIN_MS = 5_000;
const MOST_IN_FLIGHT = 2;
/** A question that is this old is no longer counted, and an answer that names no end is not used any more. */
const FORGOTTEN_MS = 600_000;
/** An answer that need not be asked for again is used for this long. */
const REUSED_MS = 60_000;

export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  /** Those without an answer, the oldest first. */
  #questions: readonly Question[] = [];
  #asked = 0;
  #good: Answer | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /**
   * Asks anew each time, so that rotated credentials are followed; callers in one moment share the answer. The last good
   * answer is used in place of a new one only while the question is unanswered, until its own end.
   */
  authorize(signal: AbortSignal): Promise<Authorized> {
    const now = this.#clock.monotonic();
    const good = this.#usable(now);
    const isReused = good?.lifetime.isReusable === true && now - good.at < REUSED_MS;
    if (isReused) return Promise.resolve(good.authorized);
    this.#askIfDue(now);
    if (good !== null && this.#isOverdue(now)) return Promise.resolve(good.authorized);
    return this.#wait(signal);
  }

  /** The server did not accept these. */
  refused(authorized: Authorized): void {
    if (this.#good?.authorized === authorized) this.#good = null;
  }

  #wait(signal: AbortSignal): Promise<Authorized> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const leave = (): void => {
        signal.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
        this.#watchOver();
      };
      const waiter: Waiter = {
        resolve: (authorized) => {
          leave();
          resolve(authorized);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#watchOver();
    });
  }

  #askIfDue(now: number): void {
    const newest = this.#questions.at(-1);
    if (newest !== undefined && now - newest.askedAt < ASK_AGAIN_MS) return;
    this.#questions = this.#questions.filter(({ askedAt }) => now - askedAt < FORGOTTEN_MS);
    if (this.#questions.length >= MOST_IN_FLIGHT) return;
    const question = { number: ++this.#asked, askedAt: now };
    this.#questions = [...this.#questions, question];
    this.#options.ask().then(
      (authorized) => this.#answered(question, authorized),
      (error: unknown) => this.#failed(question, error as Error),
    );
  }

  #answered(question: Question, authorized: Authorized): void {
    this.#settle(question);
    const { number } = question;
    if (number > (this.#good?.number ?? 0)) {
      const lifetime = this.#options.lifetimeOf(authorized);
      this.#good = { number, authorized, at: this.#clock.monotonic(), lifetime };
    }
    for (const waiter of [...this.#waiters]) waiter.resolve(authorized);
  }

  #failed(question: Question, error: Error): void {
    const isNewest = question === this.#questions.at(-1);
    this.#settle(question);
    if (question.number > (this.#good?.number ?? 0)) this.#good = null;
    if (!isNewest && this.#questions.length > 0) return;
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  #settle(question: Question): void {
    this.#questions = this.#questions.filter((one) => one !== question);
  }

  #usable(now: number): Answer | null {
    if (this.#good === null) return null;
    const { at, lifetime } = this.#good;
    const isOver =
      lifetime.endsAt === null
        ? now - at >= FORGOTTEN_MS
        : this.#clock.now().wall >= lifetime.endsAt;
    return isOver ? null : this.#good;
  }

  #isOverdue(now: number): boolean {
    const newest = this.#questions.at(-1);
    return newest !== undefined && now - newest.askedAt >= LIMIT_MS;
  }

  /** While something waits: until the last good answer may be used, or the question be asked again. */
  #watchOver(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#waiters.size === 0) return;
    const now = this.#clock.monotonic();
    const dueAt = this.#questions
      .flatMap(({ askedAt }) => [LIMIT_MS, ASK_AGAIN_MS, FORGOTTEN_MS].map((ms) => askedAt + ms))
      .filter((at) => at > now);
    if (dueAt.length === 0) return;
    this.#cancelTimer = this.#clock.after(Math.min(...dueAt) - now, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.monotonic();
    const good = this.#usable(now);
    if (good !== null && this.#isOverdue(now)) {
      for (const waiter of [...this.#waiters]) waiter.resolve(good.authorized);
    } else this.#askIfDue(now);
    this.#watchOver();
  }
}
