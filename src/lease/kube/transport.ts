import createDebug from 'debug';
import { ApiUnreachableError, ClosedError } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { Lane, Refused, RequestOptions, Unknown } from '../store.js';
import type { Authorized, Door } from './endpoint.js';
import { isTrouble } from './failures.js';
import { retryAfterMs } from './http-wire.js';
import type { ExchangeResult, HttpWire } from './http-wire.js';
import { Scheduler } from './scheduler.js';
import { brokenConnection, closed, refused, unsendable } from './unreachable.js';

const debug = createDebug('metaparticle:sync:transport');

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
}

export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly body: string;
  /** The `Date` header as milliseconds since the epoch. */
  readonly answeredAt: number | null;
}

export type Reply = Answer | Refused | Unknown;

export interface TransportOptions {
  readonly endpoint: Door;
  readonly wire: HttpWire;
  readonly clock: Clock;
  /** Without an answer for so long, a request gives its place to the next one. Default 650. */
  readonly silentMs?: number;
  /** A request that was sent at this monotonic time fell silent: others on old connections may have, too. */
  readonly onSilence?: (sentAt: number) => void;
}

/** A request on its way through the house: queued, then sent, then done. */
interface Entry {
  readonly call: Call;
  readonly options: RequestOptions;
  readonly deadline: number;
  readonly lane: Lane;
  readonly resolve: (reply: Reply) => void;
  readonly cleanUps: (() => void)[];
  readonly queuedAt: number;
  /** Breaks it off, once it was sent. */
  exchange: AbortController | null;
  sentAt: number;
  /** The connections that it was sent on. */
  connections: AbortSignal | null;
  /** Occupies one of the sockets that we allow ourselves. */
  isBusy: boolean;
  isSilent: boolean;
  isDone: boolean;
}

/** With the pause of 250 ms before the next attempt, less than a second: an outage of 10 s leaves room for one. */
const SILENT_MS = 650;
/** A server that was slow last time (or is far away, and the connection new) is given so much more time. */
const PATIENCE = { factor: 1.5, maxMs: 3000 };
const FEW_SOCKETS = 2;
const MANY_SOCKETS = 4;
/** Beyond so many leases one connection's latency leaves too little for renewals. */
const MANY_LEASES = 100;
/** A renewal that waited this long for its turn shows that there are too few connections, for a while. */
const CROWDED = { afterMs: 500, forMs: 60_000 };

/** Requests to one API server over few kept-alive connections. The scheduler decides which leaves next, and when. */
export class Transport {
  readonly #endpoint: Door;
  readonly #wire: HttpWire;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #silentMs: number;
  #patienceMs: number;
  /** When the request was sent whose answer taught patience. */
  #learntFrom = -Infinity;
  readonly #onSilence: (sentAt: number) => void;
  readonly #scheduler = new Scheduler<Entry>();
  /** Given up for new ones when one broke or fell silent: that says nothing good about its neighbors. */
  #connections = new AbortController();
  readonly #flying = new Set<Entry>();
  #heldCount = 0;
  #crowdedUntil = -Infinity;
  #busy = 0;
  /** Ends the question for credentials, while there is one. */
  #asking: AbortController | null = null;
  /** For what leaves in the moment of their answer. */
  #authorized: Authorized | null = null;
  #cancelWakeUp: (() => void) | null = null;
  #isPumping = false;
  #isClosed = false;

  constructor({ endpoint, wire, clock, silentMs = SILENT_MS, onSilence }: TransportOptions) {
    this.#endpoint = endpoint;
    this.#wire = wire;
    this.#clock = clock;
    this.#now = () => clock.monotonic();
    this.#silentMs = silentMs;
    this.#patienceMs = silentMs;
    this.#onSilence = onSilence ?? (() => undefined);
  }

  /** Never rejects: what can go wrong is in the reply. */
  send(call: Call, options: RequestOptions): Promise<Reply> {
    return new Promise((resolve) => {
      const entry: Entry = {
        ...{ call, options, deadline: options.deadline, lane: options.lane ?? 'seeking' },
        ...{ resolve, cleanUps: [], queuedAt: this.#now() },
        ...{ exchange: null, sentAt: 0, connections: null },
        ...{ isBusy: false, isSilent: false, isDone: false },
      };
      if (this.#isClosed) {
        this.#finish(entry, closed());
        return;
      }
      const { signal } = options;
      const onAbort = (): void => this.#giveUp(entry, 'the wait for it was given up');
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      const leftMs = entry.deadline - this.#now();
      const onDeadline = (): void => this.#giveUp(entry, this.#whyUnsent());
      if (leftMs <= 0) {
        onDeadline();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      entry.cleanUps.push(() => signal?.removeEventListener('abort', onAbort));
      entry.cleanUps.push(this.#clock.after(leftMs, onDeadline));
      this.#scheduler.push(entry);
      this.#pump();
    });
  }

  /** How many leases the client holds: many are worth two more connections. */
  holding(count: number): void {
    this.#heldCount = count;
    this.#pump();
  }

  #sockets(now: number): number {
    const isCrowded = this.#heldCount > MANY_LEASES || now < this.#crowdedUntil;
    return isCrowded ? MANY_SOCKETS : FEW_SOCKETS;
  }

  /** Ends everything: what is queued is refused, what was sent is of unknown outcome. */
  close(): void {
    this.#isClosed = true;
    this.#cancelWakeUp?.();
    this.#asking?.abort();
    for (const entry of this.#scheduler.drain()) this.#finish(entry, closed());
    for (const entry of this.#flying) {
      const wasSent = entry.exchange !== null;
      entry.exchange?.abort(new ClosedError());
      this.#finish(entry, wasSent ? { kind: 'unknown', error: new ClosedError() } : closed());
    }
    this.#connections.abort();
  }

  /** Lets out whatever may leave now, and arranges to be called when that changes by itself. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    this.#cancelWakeUp?.();
    const wait = this.#letOut();
    this.#cancelWakeUp = wait < Infinity ? this.#clock.after(wait, () => this.#pump()) : null;
    this.#isPumping = false;
  }

  #letOut(): number {
    for (let now = this.#now(); this.#busy < this.#sockets(now); now = this.#now()) {
      const next = this.#scheduler.next(now);
      if (typeof next === 'number') return next;
      // Timers may be late.
      if (next.deadline <= now) {
        this.#giveUp(next, this.#whyUnsent());
        continue;
      }
      if (this.#authorized === null) {
        void this.#authorize();
        return Infinity;
      }
      void this.#depart(next, this.#authorized, now);
    }
    return Infinity;
  }

  /** Comes before a place is taken: while credentials are awaited, no request is kept from leaving by another. */
  async #authorize(): Promise<void> {
    if (this.#asking !== null) return;
    const asking = new AbortController();
    this.#asking = asking;
    try {
      this.#authorized = await this.#endpoint.authorize(this, asking.signal);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#asking = null;
      this.#pump();
      // Asked for again by what leaves later, so that rotated tokens and certificates are followed.
      this.#authorized = null;
    }
  }

  /** Without credentials: what would have left now does not. */
  #refuse(error: unknown): void {
    const now = this.#now();
    for (let places = this.#sockets(now) - this.#busy; places > 0; places--) {
      const next = this.#scheduler.next(now);
      if (this.#isClosed || typeof next === 'number') break;
      this.#scheduler.left(next, now);
      this.#scheduler.done(next);
      this.#finish(next, unsendable(error, this.#endpoint.server));
    }
    this.#scheduler.shut(now);
  }

  async #depart(entry: Entry, authorized: Authorized, now: number): Promise<void> {
    const isRetry = this.#scheduler.left(entry, now);
    const isLate = entry.lane === 'holding' && now - entry.queuedAt >= CROWDED.afterMs;
    if (isLate && !isRetry) this.#crowdedUntil = now + CROWDED.forMs;
    entry.isBusy = true;
    this.#busy++;
    this.#flying.add(entry);
    try {
      await this.#transmit(entry, authorized);
    } catch (error) {
      this.#scheduler.shut(now);
      this.#finish(entry, unsendable(error, this.#endpoint.server));
    }
  }

  async #transmit(entry: Entry, authorized: Authorized): Promise<void> {
    const { method, path, body } = entry.call;
    const { limitMs, onSent } = entry.options;
    const timeout = `${path.includes('?') ? '&' : '?'}timeout=${Math.max(1, Math.ceil(limitMs / 1000))}s`;
    cleanUp(entry);
    const connections = this.#connections.signal;
    entry.connections = connections;
    onSent?.();
    entry.sentAt = this.#now();
    const exchange = new AbortController();
    const { signal } = exchange;
    // What the result says of the server counts before the place goes to another request.
    const onFree = (): void => {
      void answer.then(() => {
        this.#vacate(entry);
        this.#pump();
      });
    };
    const answer = this.#wire.exchange({
      ...{ method, path: path + timeout, body, authorized, connections, signal, onFree },
    });
    entry.exchange = exchange;
    this.#watchOver(entry, exchange);
    const result = await answer;
    if (result.kind === 'answered' && result.status === 401) this.#endpoint.refused(authorized);
    this.#settle(entry, result);
  }

  #watchOver(entry: Entry, exchange: AbortController): void {
    const { limitMs, patienceMs: atMostMs = Infinity } = entry.options;
    const onLimit = (): void => {
      this.#fallSilent(entry);
      exchange.abort(new Error(`no answer within ${limitMs} ms`));
    };
    entry.cleanUps.push(this.#clock.after(limitMs, onLimit));
    const patienceMs = Math.max(this.#silentMs, Math.min(this.#patienceMs, atMostMs));
    if (patienceMs >= limitMs) return;
    entry.cleanUps.push(this.#clock.after(patienceMs, () => this.#fallSilent(entry)));
  }

  /** Its place goes to another request on another connection; a late answer is still welcome. */
  #fallSilent(entry: Entry): void {
    if (entry.isSilent || entry.isDone) return;
    entry.isSilent = true;
    debug('%s %s: silent', entry.call.method, entry.call.path);
    if (this.#scheduler.unanswered(entry, entry.sentAt, this.#now())) {
      this.#distrust(entry);
      this.#onSilence(entry.sentAt);
    }
    this.#vacate(entry);
    entry.options.onSilent?.();
    this.#pump();
  }

  #settle(entry: Entry, result: ExchangeResult): void {
    if (entry.isDone) return;
    const { method, path } = entry.call;
    if (result.kind === 'answered') {
      debug('%s %s: %d', method, path, result.status);
      if (!isTrouble(result.status)) this.#adapt(entry.sentAt);
      this.#learn(entry, result);
      const answeredAt = Date.parse(String(result.headers['date'] ?? ''));
      const { status, body } = result;
      this.#finish(entry, {
        ...{ kind: 'answer', status, body },
        answeredAt: Number.isNaN(answeredAt) ? null : answeredAt,
      });
      return;
    }
    const { error, mayHaveLeft, wasIdle } = result;
    debug('%s %s: %s', method, path, error.message);
    // One that fell silent has been judged.
    if (wasIdle || entry.isSilent) this.#renewConnections(entry);
    else if (this.#scheduler.unanswered(entry, entry.sentAt, this.#now())) this.#distrust(entry);
    this.#finish(entry, brokenConnection(error, mayHaveLeft, this.#endpoint.server));
  }

  #learn(entry: Entry, { status, headers }: ExchangeResult & { kind: 'answered' }): void {
    if (isTrouble(status) && entry.isSilent) return;
    const pauseMs = retryAfterMs(headers, () => this.#clock.now().wall);
    this.#scheduler.answered(entry, entry.sentAt, status, pauseMs, this.#now());
  }

  /** What was asked earlier and answered later tells of an outage that is over. */
  #adapt(sentAt: number): void {
    if (sentAt < this.#learntFrom) return;
    this.#learntFrom = sentAt;
    const tookMs = this.#now() - sentAt;
    const patienceMs = Math.min(PATIENCE.maxMs, tookMs * PATIENCE.factor);
    this.#patienceMs = Math.max(this.#silentMs, patienceMs);
  }

  /** Nothing is known to reach the server. */
  #distrust(entry: Entry): void {
    if (this.#renewConnections(entry)) this.#scheduler.shut(entry.sentAt);
  }

  /**
   * Only the current connections can give bad evidence; older ones have been replaced already. One that had
   * been idle may just have been closed: that says nothing about the server.
   * @returns whether there was something to replace
   */
  #renewConnections(entry: Entry): boolean {
    if (entry.connections !== this.#connections.signal) return false;
    this.#connections.abort();
    this.#connections = new AbortController();
    return true;
  }

  #whyUnsent(): string {
    return this.#asking !== null
      ? 'the kubeconfig gave no credentials in time'
      : 'its deadline passed before it could be sent';
  }

  #giveUp(entry: Entry, why: string): void {
    this.#scheduler.remove(entry);
    const message = `the request to ${this.#endpoint.server} was not sent: ${why}`;
    this.#finish(entry, refused(new ApiUnreachableError(message, this.#endpoint.server)));
  }

  #vacate(entry: Entry): void {
    if (!entry.isBusy) return;
    entry.isBusy = false;
    this.#busy--;
    this.#scheduler.done(entry);
  }

  #finish(entry: Entry, reply: Reply): void {
    if (entry.isDone) return;
    entry.isDone = true;
    cleanUp(entry);
    this.#flying.delete(entry);
    if (entry.exchange === null) this.#vacate(entry);
    entry.resolve(reply);
    this.#pump();
  }
}

function cleanUp(entry: Entry): void {
  for (const undo of entry.cleanUps.splice(0)) undo();
}
