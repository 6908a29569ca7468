import createDebug from 'debug';
import { ApiUnreachableError, ClosedError } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { Lane, Refused, RequestOptions, Unknown } from '../store.js';
import type { Authorized, Door } from './endpoint.js';
import { Gate } from './gate.js';
import { retryAfterMs } from './http-wire.js';
import type { ExchangeResult, HttpWire } from './http-wire.js';
import { DeadlineQueue } from './queue.js';
import { brokenConnection, closed, refused, unsendable } from './unreachable.js';

const debug = createDebug('metaparticle:sync:transport');

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
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

/** A request on its way through the house: queued, then authorizing, then sent, then done. */
interface Entry {
  readonly call: Call;
  readonly options: RequestOptions;
  readonly deadline: number;
  readonly lane: Lane;
  readonly resolve: (reply: Reply) => void;
  readonly cleanUps: (() => void)[];
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

/** Requests to one API server over few kept-alive connections: by lane, then by earliest deadline. */
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
  readonly #queue = new DeadlineQueue<Entry>();
  readonly #gate = new Gate();
  /** Given up for new ones when one broke or fell silent: that says nothing good about its neighbors. */
  #connections = new AbortController();
  readonly #flying = new Set<Entry>();
  #sockets = FEW_SOCKETS;
  #busy = 0;
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
        ...{ resolve, cleanUps: [] },
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
      signal?.addEventListener('abort', onAbort, { once: true });
      entry.cleanUps.push(() => signal?.removeEventListener('abort', onAbort));
      this.#queue.push(entry);
      this.#pump();
    });
  }

  /** How many leases the client holds: many are worth two more connections. */
  holding(count: number): void {
    this.#sockets = count > MANY_LEASES ? MANY_SOCKETS : FEW_SOCKETS;
    this.#pump();
  }

  /** Ends everything: what is queued is refused, what was sent is of unknown outcome. */
  close(): void {
    this.#isClosed = true;
    this.#cancelWakeUp?.();
    for (const entry of this.#queue.drain()) this.#finish(entry, closed());
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
    for (;;) {
      const earliest = this.#queue.earliest();
      if (earliest === undefined) return Infinity;
      const now = this.#now();
      const left = earliest.deadline - now;
      if (left <= 0) {
        this.#giveUp(earliest, 'its deadline passed before it could be sent');
        continue;
      }
      const hasSocket = this.#busy < this.#sockets;
      const delay = hasSocket ? this.#gate.delay(now, earliest.deadline) : Infinity;
      if (delay > 0) return Math.min(delay, left);
      // In an outage the few that may leave are those that would not be of use later.
      const next = this.#gate.isOpen ? (this.#queue.peek(now) ?? earliest) : earliest;
      this.#queue.take(next);
      void this.#depart(next, now);
    }
  }

  async #depart(entry: Entry, now: number): Promise<void> {
    entry.isBusy = true;
    this.#busy++;
    this.#flying.add(entry);
    this.#gate.left(entry, now);
    const expire = (): void => this.#giveUp(entry, 'the kubeconfig gave no credentials in time');
    entry.cleanUps.push(this.#clock.after(entry.deadline - now, expire));
    try {
      const authorized = await this.#endpoint.authorize();
      if (!entry.isDone) await this.#transmit(entry, authorized);
    } catch (error) {
      this.#gate.failed();
      this.#finish(entry, unsendable(error, this.#endpoint.server));
    }
  }

  async #transmit(entry: Entry, authorized: Authorized): Promise<void> {
    const { method, path, body } = entry.call;
    const { limitMs, onSent } = entry.options;
    const timeout = `?timeout=${Math.max(1, Math.ceil(limitMs / 1000))}s`;
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
    this.#settle(entry, await answer);
  }

  #watchOver(entry: Entry, exchange: AbortController): void {
    const { limitMs } = entry.options;
    const onLimit = (): void => {
      this.#fallSilent(entry);
      exchange.abort(new Error(`no answer within ${limitMs} ms`));
    };
    entry.cleanUps.push(this.#clock.after(limitMs, onLimit));
    if (this.#patienceMs >= limitMs) return;
    entry.cleanUps.push(this.#clock.after(this.#patienceMs, () => this.#fallSilent(entry)));
  }

  /** Its place goes to another request on another connection; a late answer is still welcome. */
  #fallSilent(entry: Entry): void {
    if (entry.isSilent || entry.isDone) return;
    entry.isSilent = true;
    debug('%s %s: silent', entry.call.method, entry.call.path);
    this.#distrust(entry);
    this.#onSilence(entry.sentAt);
    this.#vacate(entry);
    entry.options.onSilent?.();
    this.#pump();
  }

  #settle(entry: Entry, result: ExchangeResult): void {
    if (entry.isDone) return;
    const { method, path } = entry.call;
    if (result.kind === 'answered') {
      debug('%s %s: %d', method, path, result.status);
      if (result.status < 500 && result.status !== 429) this.#adapt(entry.sentAt);
      const pauseMs = retryAfterMs(result.headers, () => this.#clock.now().wall);
      this.#gate.answered(result.status, pauseMs, this.#now);
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
    this.#distrust(entry, wasIdle);
    this.#finish(entry, brokenConnection(error, mayHaveLeft, this.#endpoint.server));
  }

  /** What was asked earlier and answered later tells of an outage that is over. */
  #adapt(sentAt: number): void {
    if (sentAt < this.#learntFrom) return;
    this.#learntFrom = sentAt;
    const tookMs = this.#now() - sentAt;
    const patienceMs = Math.min(PATIENCE.maxMs, tookMs * PATIENCE.factor);
    this.#patienceMs = Math.max(this.#silentMs, patienceMs);
  }

  /**
   * Only the current connections can give bad evidence; older ones have been replaced already. One that had
   * been idle may just have been closed: that says nothing about the server.
   */
  #distrust(entry: Entry, wasIdle = false): void {
    if (entry.connections !== this.#connections.signal) return;
    this.#connections.abort();
    this.#connections = new AbortController();
    if (!wasIdle) this.#gate.failed();
  }

  #giveUp(entry: Entry, why: string): void {
    this.#queue.remove(entry);
    const message = `the request to ${this.#endpoint.server} was not sent: ${why}`;
    this.#finish(entry, refused(new ApiUnreachableError(message, this.#endpoint.server)));
  }

  #vacate(entry: Entry): void {
    if (!entry.isBusy) return;
    entry.isBusy = false;
    this.#busy--;
    this.#gate.done(entry);
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
