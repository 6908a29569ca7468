/**
 * The network between a client and a server in the same process: without sockets and without latency. What one side
 * sends, the other side receives in a later microtask. The types repeat those of the wire port of the library
 * (`src/lease/kube/http-wire.ts`), since the library and this server share no code; one suite of tests runs on this
 * wire and on that over sockets.
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

interface Broken {
  readonly kind: 'broken';
  readonly error: NodeJS.ErrnoException;
}

type ExchangeResult =
  | ({ readonly kind: 'answered' } & Answered)
  | (Broken & { readonly mayHaveLeft: boolean; readonly wasIdle: boolean });

type StreamResult = { readonly kind: 'ended' } | Broken | ({ readonly kind: 'refused' } & Answered);

/** The client's side of one request. The last call is `ended` or `broken`. */
export interface Sender {
  begun(status: number, headers: Headers): void;
  chunk(text: string): void;
  ended(): void;
  broken(error: NodeJS.ErrnoException): void;
}

const JSON_TYPE = 'application/json';
/** As a client sends it. */
const contentTypes: Readonly<Record<string, string>> = { PATCH: 'application/merge-patch+json' };

/** The way to one server. A connection is only a number here: how many of a group wait for their next request. */
export class MemoryWire {
  readonly #serve: (incoming: Incoming, responder: MemoryResponder) => void;
  readonly #open = new Set<MemoryResponder>();
  readonly #idle = new WeakMap<AbortSignal, number>();
  #isClosed = false;

  constructor(serve: (incoming: Incoming, responder: MemoryResponder) => void) {
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
      const responder = this.#send(request, {
        begun: (status, headers) => (answer = { status, headers, body: '' }),
        chunk: (text) => (answer = { ...answer, body: answer.body + text }),
        ended: () => {
          this.#giveIdle(request.connections);
          end({ kind: 'answered', ...answer });
        },
        broken: (error) => {
          end({ kind: 'broken', error, mayHaveLeft: responder.wasServed, wasIdle });
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

  /** Resets all connections and refuses new ones. */
  close(): void {
    this.#isClosed = true;
    for (const responder of [...this.#open]) responder.reset();
  }

  #send(
    request: WireRequest & { readonly body?: string | undefined },
    sender: Sender,
  ): MemoryResponder {
    const { method, path, body, authorized, signal } = request;
    const { Authorization } = (authorized.options.headers ?? {}) as { Authorization?: string };
    const headers = {
      authorization: Authorization,
      'content-type': body === undefined ? undefined : (contentTypes[method] ?? JSON_TYPE),
      'user-agent': 'metaparticle-sync',
    };
    const responder = new MemoryResponder(sender);
    this.#open.add(responder);
    const onAbort = (): void => responder.drop(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) queueMicrotask(onAbort);
    responder.onClose(() => {
      this.#open.delete(responder);
      signal.removeEventListener('abort', onAbort);
    });
    queueMicrotask(() => {
      if (responder.isGone) return;
      if (this.#isClosed) {
        responder.drop(networkError('ECONNREFUSED'));
        return;
      }
      responder.wasServed = true;
      this.#serve({ method, url: path, headers, body: body ?? '' }, responder);
    });
    return responder;
  }

  #takeIdle(group: AbortSignal): boolean {
    const idle = group.aborted ? 0 : (this.#idle.get(group) ?? 0);
    if (idle > 0) this.#idle.set(group, idle - 1);
    return idle > 0;
  }

  #giveIdle(group: AbortSignal): void {
    if (!group.aborted) this.#idle.set(group, (this.#idle.get(group) ?? 0) + 1);
  }
}

/** The server's side of one request. The client receives each part in a microtask of its own, in order. */
export class MemoryResponder implements Responder {
  /** The server has received the request. */
  wasServed = false;
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
    if (this.#isClosed) return;
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
    this.fail('ECONNRESET');
  }

  reset(): void {
    this.fail('ECONNRESET');
  }

  /** Breaks the connection with an error of the network, such as `ECONNREFUSED`. */
  fail(code: string): void {
    if (this.#isClosed) return;
    this.#deliver(() => this.#sender.broken(networkError(code)));
    this.#close();
  }

  /** Breaks the request on the client's side: nothing that the server sends reaches the client any more. */
  drop(error: Error): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#close();
    queueMicrotask(() => this.#sender.broken(error));
  }

  onClose(callback: () => void): void {
    this.#onClose.push(callback);
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
  const what = code === 'ECONNREFUSED' ? 'was refused' : 'was reset';
  return Object.assign(new Error(`the connection to the server in memory ${what}`), { code });
}
