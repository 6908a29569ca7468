/**
 * The way to a server in the same process: no sockets, no latency. What one side sends, the other has once the running
 * code gives way. The shapes are those of the wire port that the library's own requests go through.
 */
import type { Headers, Incoming, Responder } from './responder.js';

interface Authorized {
  readonly options: { readonly headers?: unknown };
}

interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly authorized: Authorized;
  readonly signal: AbortSignal;
}

interface ExchangeRequest extends WireRequest {
  readonly body?: string | undefined;
  readonly connections: AbortSignal;
  readonly onFree: () => void;
}

interface StreamRequest extends WireRequest {
  readonly sink: { begun(status: number): void; chunk(chunk: Buffer): void };
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

type Broken = { readonly kind: 'broken'; readonly error: NodeJS.ErrnoException };

type ExchangeResult =
  | ({ readonly kind: 'answered' } & Answered)
  | (Broken & { readonly mayHaveLeft: boolean; readonly wasIdle: boolean });

type StreamResult = { readonly kind: 'ended' } | Broken | ({ readonly kind: 'refused' } & Answered);

/** What the sender of a request learns, in this order. */
interface Sender {
  begun(status: number, headers: Headers): void;
  chunk(text: string): void;
  ended(): void;
  broken(error: NodeJS.ErrnoException): void;
}

/** Requests to one server. */
export class MemoryWire {
  readonly #serve: (incoming: Incoming, responder: Responder) => void;
  readonly #open = new Set<MemoryResponder>();
  /** Connections of each group that wait for their next request. */
  readonly #idle = new WeakMap<AbortSignal, number>();
  #isClosed = false;

  constructor(serve: (incoming: Incoming, responder: Responder) => void) {
    this.#serve = serve;
  }

  exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const wasIdle = this.#takeIdle(request.connections);
    return new Promise((resolve) => {
      let answer: Answered = { status: 0, headers: {}, body: '' };
      const end = (result: ExchangeResult): void => {
        resolve(result);
        request.onFree();
      };
      this.#send(request, {
        begun: (status, headers) => (answer = { status, headers, body: '' }),
        chunk: (text) => (answer = { ...answer, body: answer.body + text }),
        ended: () => {
          this.#giveIdle(request.connections);
          end({ kind: 'answered', ...answer });
        },
        broken: (error) => {
          const mayHaveLeft = error.code !== 'ECONNREFUSED';
          end({ kind: 'broken', error, mayHaveLeft, wasIdle });
        },
      });
    });
  }

  stream(request: StreamRequest): Promise<StreamResult> {
    const { sink } = request;
    return new Promise((resolve) => {
      let answer: Answered = { status: 0, headers: {}, body: '' };
      this.#send(request, {
        begun: (status, headers) => {
          answer = { status, headers, body: '' };
          sink.begun(status);
        },
        chunk: (text) => {
          if (answer.status === 200) sink.chunk(Buffer.from(text));
          else answer = { ...answer, body: answer.body + text };
        },
        ended: () =>
          resolve(answer.status === 200 ? { kind: 'ended' } : { kind: 'refused', ...answer }),
        broken: (error) => resolve({ kind: 'broken', error }),
      });
    });
  }

  /** Breaks what is under way and refuses what comes. */
  close(): void {
    this.#isClosed = true;
    for (const responder of [...this.#open]) responder.reset();
  }

  #send(request: WireRequest & { readonly body?: string | undefined }, sender: Sender): void {
    if (this.#isClosed) {
      queueMicrotask(() => sender.broken(networkError('ECONNREFUSED')));
      return;
    }
    const { method, path, body, authorized, signal } = request;
    const { Authorization } = (authorized.options.headers ?? {}) as { Authorization?: string };
    const responder = new MemoryResponder(sender);
    this.#open.add(responder);
    const drop = (): void => responder.drop(signal.reason as Error);
    signal.addEventListener('abort', drop, { once: true });
    responder.onClose(() => {
      this.#open.delete(responder);
      signal.removeEventListener('abort', drop);
    });
    const headers = {
      authorization: Authorization,
      'content-type': body === undefined ? undefined : 'application/json',
      'user-agent': 'metaparticle-sync',
    };
    queueMicrotask(() => {
      if (!responder.isGone)
        this.#serve({ method, url: path, headers, body: body ?? '' }, responder);
    });
  }

  #takeIdle(group: AbortSignal): boolean {
    const idle = this.#idle.get(group) ?? 0;
    if (idle > 0) this.#idle.set(group, idle - 1);
    return idle > 0;
  }

  #giveIdle(group: AbortSignal): void {
    if (!group.aborted) this.#idle.set(group, (this.#idle.get(group) ?? 0) + 1);
  }
}

/** What the server sends is handed over in order, each part after the running code has given way. */
class MemoryResponder implements Responder {
  readonly #sender: Sender;
  readonly #onClose: (() => void)[] = [];
  #hasBegun = false;
  #isClosed = false;
  #isDropped = false;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  get isGone(): boolean {
    return this.#isClosed;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  answer(code: number, headers: Headers, body: string): void {
    this.begin(code, headers);
    this.write(body);
    this.end();
  }

  begin(code: number, headers: Headers): void {
    this.#hasBegun = true;
    const lowered = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    this.#deliver(() => this.#sender.begun(code, Object.fromEntries(lowered) as Headers));
  }

  write(text: string): void {
    if (!this.#isClosed) this.#deliver(() => this.#sender.chunk(text));
  }

  end(): void {
    if (this.#isClosed) return;
    this.#deliver(() => this.#sender.ended());
    this.#close();
  }

  destroy(): void {
    this.#break(networkError('ECONNRESET'));
  }

  reset(): void {
    this.#break(networkError('ECONNRESET'));
  }

  /** The client gave the request up: nothing reaches it any more. */
  drop(error: Error): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#close();
    queueMicrotask(() => this.#sender.broken(error));
  }

  onClose(callback: () => void): void {
    this.#onClose.push(callback);
  }

  #break(error: NodeJS.ErrnoException): void {
    if (this.#isClosed) return;
    this.#deliver(() => this.#sender.broken(error));
    this.#close();
  }

  #deliver(act: () => void): void {
    queueMicrotask(() => {
      if (!this.#isDropped) act();
    });
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const callback of this.#onClose.splice(0)) callback();
  }
}

function networkError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`the connection to the server in this process: ${code}`), {
    code,
  });
}
