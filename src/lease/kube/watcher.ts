import createDebug from 'debug';
import pRetry, { type RetryContext } from 'p-retry';
import type { Clock } from '../clock.js';
import { readEvent } from './event.js';
import type { WatchEvent } from './event.js';
import { LineSplitter } from './lines.js';
import type { StreamEnd, StreamOpener } from './stream.js';

const debug = createDebug('metaparticle:sync:watch');

export type LeaseEvent = WatchEvent & { readonly kind: 'lease' | 'other' };

/** What a watcher tells of the leases that it selects. */
export interface WatcherListener {
  wants(name: string): boolean;
  event(event: LeaseEvent): void;
  live(on: boolean): void;
  /** Live again, but not where it had left off. */
  gap(): void;
  /** 403 or 404: tried again only now and then. */
  refused(status: number, body: string): void;
}

export interface WatcherOptions {
  readonly opener: StreamOpener;
  readonly clock: Clock;
  /** From 0 to 1, for pauses and life times that differ from process to process. */
  readonly random: () => number;
  /** Path and query that select the leases. */
  readonly selection: string;
  /** Whether that is one lease by name: its state at the start is then complete with one event. */
  readonly isSingle: boolean;
  readonly from: bigint | null;
  readonly listener: WatcherListener;
  /** After a 403 or 404, the longest time until the next try; the first ones follow sooner. */
  readonly refusedPauseMs: number;
}

const BACK_OFF = { minMs: 250, maxMs: 5000 };
/** A rotated token is there within seconds, as a rule. */
const UNKNOWN_USER_PAUSE_MS = 10_000;
/** A rule that was taken away by mistake is back soon, one that was never there hardly ever comes. */
const SHORTEST_REFUSED_SHARE = 1 / 64;
/** A connection that lived shorter proves nothing: the next one waits its turn. */
const SETTLED_MS = 1000;
/** Heard or reopened so lately, a connection is not suspect. */
const FRESH_MS = 1000;
const LIFETIME_SECONDS = { min: 240, spread: 240 };
/** A connection that outlives the time it was asked for is dead: its end got lost on the way. */
const OVERTIME_MS = 30_000;
/** No server is left alone for longer, whatever pause it asks for. */
const LONGEST_PAUSE_MS = 60_000;

/** A watch that keeps itself going: reopened from where it stood until it is closed. */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #connection = new AbortController();
  #position: bigint | null;
  #isLive = false;
  #isRunning = false;
  /** Still being told the state at the start, in no order to continue from. */
  #isStarting = false;
  #openedAt: number;
  #heardAt = -Infinity;
  /** The connection of now has told something. */
  #hasHeard = false;
  /** Connections in a row that ended as soon as they were open. */
  #quickEnds = 0;
  /** Refusals in a row. */
  #refusals = 0;
  /** Suspected since it was last heard: the position itself may be wrong (history rewound). */
  #doubts = 0;
  /** What the listener knows may lack something that is not told again. */
  #hasGap = false;
  #wasGone = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#now = () => options.clock.monotonic();
    this.#position = options.from;
    this.#openedAt = this.#now();
    void this.#run();
  }

  /** The version up to which everything was told; `null` when nothing is known. */
  get position(): bigint | null {
    return this.#position;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Drops the connection for a new one, unless it has just shown life. */
  suspect(): void {
    const isFresh = this.#now() - Math.max(this.#heardAt, this.#openedAt) < FRESH_MS;
    if (isFresh || !this.#isRunning) return;
    this.#doubtPosition();
    this.#connection.abort();
  }

  /** A request sent at this monotonic time fell silent: a connection not heard since may be dead, too. */
  doubt(sentAt: number): void {
    if (this.#isLive && Math.max(this.#heardAt, this.#openedAt) < sentAt) this.#connection.abort();
  }

  close(): void {
    this.#closing.abort();
    this.#connection.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!this.#isClosed()) {
      try {
        // Pauses are made here, by the clock of this house.
        const onFailedAttempt = ({ attemptNumber }: RetryContext): Promise<void> =>
          this.#sleep(this.#backOffMs(attemptNumber));
        const retry = { retries: Infinity, minTimeout: 0, maxTimeout: 0, onFailedAttempt };
        await pRetry(() => this.#session(), { ...retry, signal });
      } catch (error) {
        if (this.#isClosed()) return;
        debug('%s: %o', this.#options.selection, error);
        await this.#sleep(BACK_OFF.maxMs);
      }
    }
  }

  /** One connection. Resolves when the next may follow at once, rejects when it had better wait. */
  async #session(): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#openedAt = this.#now();
    this.#isRunning = true;
    this.#isStarting = this.#position === null && !this.#options.isSingle;
    this.#hasHeard = false;
    const splitter = new LineSplitter(
      (line) => this.#hear(line, connection),
      () => this.#skip(),
    );
    const seconds =
      LIFETIME_SECONDS.min + Math.floor(this.#options.random() * LIFETIME_SECONDS.spread);
    const cancelLimit = this.#clock.after(seconds * 1_000 + OVERTIME_MS, () => connection.abort());
    const end = await this.#options.opener.run(
      this.#path(seconds),
      {
        live: () => this.#goLive(),
        chunk: (chunk) => {
          this.#heardAt = this.#now();
          splitter.push(chunk);
        },
      },
      connection.signal,
    );
    cancelLimit();
    this.#isRunning = false;
    if (this.#isClosed()) return;
    debug('%s: %s', this.#options.selection, describe(end));
    const hasSettled = this.#isLive && this.#now() - this.#openedAt >= SETTLED_MS;
    if (this.#isLive && this.#position === null) this.#hasGap = true;
    if (this.#isLive) this.#setLive(false);
    this.#quickEnds = hasSettled ? 0 : this.#quickEnds + 1;
    await this.#conclude(end, connection.signal, hasSettled);
  }

  async #conclude(
    end: StreamEnd,
    { aborted, reason }: AbortSignal,
    hasSettled: boolean,
  ): Promise<void> {
    if (aborted && reason instanceof ServerSaid) {
      this.#afterError(reason);
      return;
    }
    if (aborted) return;
    const wasUseful = this.#hasHeard && this.#quickEnds === 1;
    if (end.kind === 'ended' && (hasSettled || wasUseful)) return;
    if (end.kind === 'refused') return this.#afterRefusal(end);
    // Many watches break in one moment when a server goes; they need not come back in one.
    if (hasSettled) return this.#sleep(this.#options.random() * BACK_OFF.minMs);
    throw new Error(describe(end));
  }

  #afterError({ status, message }: ServerSaid): void {
    if (status === 410) {
      this.#gone();
      return;
    }
    this.#doubtPosition();
    throw new Error(`${status} ${message}`);
  }

  async #afterRefusal({ status, body, pauseMs }: StreamEnd & { kind: 'refused' }): Promise<void> {
    if (status === 410) {
      this.#gone();
      return;
    }
    if (status === 401) return this.#sleep(UNKNOWN_USER_PAUSE_MS);
    if (status === 403 || status === 404) {
      this.#options.listener.refused(status, body);
      const { refusedPauseMs } = this.#options;
      const share = 2 ** this.#refusals++ * SHORTEST_REFUSED_SHARE;
      return this.#sleep(Math.min(share, 1) * refusedPauseMs);
    }
    this.#doubtPosition();
    await this.#sleep(Math.min(pauseMs, LONGEST_PAUSE_MS));
    throw new Error(`${status}`);
  }

  /** The version is too old to continue from: start over from the state of now. */
  #gone(): void {
    this.#forget();
    if (this.#wasGone) throw new Error('410 again');
    this.#wasGone = true;
  }

  /** A version that history never reached (etcd restored from a backup) is answered by silence or errors. */
  #doubtPosition(): void {
    if (this.#doubts++ > 0) this.#forget();
  }

  #forget(): void {
    this.#position = null;
    this.#hasGap = true;
  }

  #goLive(): void {
    this.#refusals = 0;
    this.#setLive(true);
    if (!this.#hasGap) return;
    this.#hasGap = false;
    this.#options.listener.gap();
  }

  #hear(line: string, connection: AbortController): void {
    if (connection.signal.aborted) return;
    const event = readEvent(line, (name) => this.#options.listener.wants(name));
    if (event.kind === 'error') {
      connection.abort(new ServerSaid(event.status, event.message));
      return;
    }
    if (event.kind === 'unreadable') {
      debug('%s: unreadable line', this.#options.selection);
      return;
    }
    this.#hasHeard = true;
    this.#doubts = 0;
    this.#wasGone = false;
    if (event.kind === 'bookmark' || event.isChange) this.#isStarting = false;
    if (event.version !== null && !this.#isStarting) this.#position = event.version;
    if (event.kind !== 'bookmark') this.#options.listener.event(event);
  }

  /** A line of unreasonable length: whatever it said is to be had by reading only. */
  #skip(): void {
    this.#options.listener.gap();
  }

  /** Doubled by each failure in a row, and stretched by chance: not all processes come back in one moment. */
  #backOffMs(failures: number): number {
    const ms = BACK_OFF.minMs * 2 ** (failures - 1) * (1 + this.#options.random());
    return Math.min(ms, BACK_OFF.maxMs);
  }

  #path(seconds: number): string {
    // Never without a version: that would wait until the server's cache is known to be fresh.
    const from = `resourceVersion=${this.#position ?? 0}&timeoutSeconds=${seconds}`;
    return `${this.#options.selection}watch=true&allowWatchBookmarks=true&${from}`;
  }

  #setLive(on: boolean): void {
    this.#isLive = on;
    this.#options.listener.live(on);
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#closing;
    if (ms <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#clock.after(ms, wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }
}

/** An ERROR event, as the reason why its connection is dropped. */
class ServerSaid {
  constructor(
    readonly status: number,
    readonly message: string,
  ) {}
}

function describe(end: StreamEnd): string {
  if (end.kind === 'broken') return end.error.message;
  return end.kind === 'refused' ? `refused: ${end.status}` : 'ended';
}
