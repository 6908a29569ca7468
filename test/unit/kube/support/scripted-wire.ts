// The network as a test scripts it: each request is answered, broken or left alone by the test, on virtual time. The
// suite of the wire port (wire-port.test.ts) runs on it, too.
import type { Authorized } from '../../../../src/lease/kube/endpoint.js';
import type {
  ExchangeRequest,
  ExchangeResult,
  HttpWire,
  ResponseHeaders,
  StreamRequest,
  StreamResult,
  WireRequest,
} from '../../../../src/lease/kube/http-wire.js';
import type { ManualClock } from '../../../../src/testing/clock.js';

/** A connection of the scripted network. */
export interface Link {
  /** From 1, in the order of opening. */
  readonly number: number;
  /** Nothing passes any more, in either direction, and neither side notices. */
  isFrozen: boolean;
}

/** What both kinds of request have in common. */
class Sent {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** When it was sent. */
  readonly at: number;
  readonly link: Link;
  /** A byte of it is on the way. */
  hasLeft = false;
  protected isOver = false;
  readonly #onOver: (() => void)[] = [];

  constructor(request: WireRequest, at: number, link: Link) {
    const { pathname, searchParams } = new URL(request.path, 'http://scripted.invalid');
    this.method = request.method;
    this.path = pathname;
    this.query = searchParams;
    this.authorization = authorizationOf(request.authorized);
    this.at = at;
    this.link = link;
  }

  /** The last path segment. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  /** Calls back when it has been answered, broken or given up. */
  onOver(callback: () => void): void {
    this.#onOver.push(callback);
  }

  protected over(): void {
    this.isOver = true;
    for (const callback of this.#onOver.splice(0)) callback();
  }

  /** Hands it to the server, unless it was given up before, or its connection is frozen. */
  arrive(serve: (sent: this) => void): void {
    if (this.isOver) return;
    this.hasLeft = true;
    if (!this.link.isFrozen) serve(this);
  }

  protected get isReachable(): boolean {
    return !this.isOver && !this.link.isFrozen;
  }
}

/** A request that waits for its answer. */
export class ScriptedExchange extends Sent {
  readonly body: string | undefined;
  readonly #end: (result: ExchangeResult) => void;
  readonly #free: () => void;
  readonly #wasIdle: boolean;

  constructor(
    request: ExchangeRequest,
    sent: { readonly at: number; readonly link: Link; readonly wasIdle: boolean },
    resolve: (result: ExchangeResult) => void,
    free: (isUsable: boolean) => void,
  ) {
    super(request, sent.at, sent.link);
    this.body = request.body;
    this.#wasIdle = sent.wasIdle;
    const onAbort = (): void => this.#break(request.signal.reason as Error);
    request.signal.addEventListener('abort', onAbort, { once: true });
    this.#end = (result) => {
      this.over();
      request.signal.removeEventListener('abort', onAbort);
      resolve(result);
      if (result.kind === 'broken') free(false);
    };
    this.#free = () => free(true);
  }

  answer(status = 200, body: unknown = {}, headers: ResponseHeaders = {}): void {
    if (!this.isReachable) return;
    this.answerEarly(status, body, headers);
    this.free();
  }

  /** Answers while the request is still being written: the connection serves no other request before `free()`. */
  answerEarly(status = 200, body: unknown = {}, headers: ResponseHeaders = {}): void {
    if (!this.isReachable) return;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.#end({ kind: 'answered', status, headers, body: text });
  }

  free(): void {
    this.#free();
  }

  /** The connection is reset after the request has arrived. */
  reset(): void {
    if (this.isReachable) this.#break(networkError('ECONNRESET'));
  }

  /** Nothing listens. */
  refuse(): void {
    if (!this.isReachable) return;
    this.hasLeft = false;
    this.#break(networkError('ECONNREFUSED'));
  }

  #break(error: NodeJS.ErrnoException): void {
    if (this.isOver) return;
    this.#end({ kind: 'broken', error, mayHaveLeft: this.hasLeft, wasIdle: this.#wasIdle });
  }
}

/** A watch as the server sees it. */
export class ScriptedStream extends Sent {
  readonly #sink: StreamRequest['sink'];
  readonly #end: (result: StreamResult) => void;

  constructor(
    request: StreamRequest,
    sent: { readonly at: number; readonly link: Link },
    resolve: (result: StreamResult) => void,
  ) {
    super(request, sent.at, sent.link);
    this.#sink = request.sink;
    const onAbort = (): void =>
      this.#end({ kind: 'broken', error: request.signal.reason as Error });
    request.signal.addEventListener('abort', onAbort, { once: true });
    this.#end = (result) => {
      this.over();
      request.signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
  }

  /** Whether the client still waits for more. */
  get isOpen(): boolean {
    return !this.isOver;
  }

  /** The version that it continues from, as asked for. */
  get from(): string | null {
    return this.query.get('resourceVersion');
  }

  begin(status = 200): void {
    if (this.isReachable) this.#sink.begun(status);
  }

  send(text: string | Buffer): void {
    if (this.isReachable) this.#sink.chunk(Buffer.from(text as string));
  }

  end(): void {
    if (this.isReachable) this.#end({ kind: 'ended' });
  }

  refuse(status: number, body: unknown = {}, headers: ResponseHeaders = {}): void {
    if (!this.isReachable) return;
    this.#sink.begun(status);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.#end({ kind: 'refused', status, headers, body: text });
  }

  reset(code = 'ECONNRESET'): void {
    if (this.isReachable) this.#end({ kind: 'broken', error: networkError(code) });
  }
}

export class ScriptedWire implements HttpWire {
  /** Requests in the order of sending, with those that never arrived. */
  readonly exchanges: ScriptedExchange[] = [];
  readonly streams: ScriptedStream[] = [];
  /** Called for each request that arrives. */
  onExchange: (exchange: ScriptedExchange) => void = (exchange) => exchange.answer();
  onStream: (stream: ScriptedStream) => void = (stream) => stream.begin();
  /** Connections that were opened. */
  connections = 0;
  readonly #clock: Pick<ManualClock, 'monotonic'>;
  readonly #open = new Set<Link>();
  readonly #idle = new WeakMap<AbortSignal, Link[]>();

  constructor(clock: Pick<ManualClock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open.size;
  }

  /** From now on nothing passes through the open connections: half-open, as when a node vanishes. */
  freeze(): void {
    for (const link of this.#open) link.isFrozen = true;
  }

  /** Names of the requests, in the order of sending. */
  get names(): string[] {
    return this.exchanges.map(({ name }) => name);
  }

  exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const { connections } = request;
    const idle = connections.aborted ? undefined : this.#idleOf(connections).pop();
    const link = idle ?? this.#connect();
    const sent = { at: this.#clock.monotonic(), link, wasIdle: idle !== undefined };
    let isFree = false;
    const free = (isUsable: boolean): void => {
      if (isFree) return;
      isFree = true;
      if (isUsable && !connections.aborted) this.#idleOf(connections).push(link);
      else this.#open.delete(link);
      request.onFree();
    };
    return new Promise((resolve) => {
      const exchange = new ScriptedExchange(request, sent, resolve, free);
      this.exchanges.push(exchange);
      queueMicrotask(() => {
        exchange.arrive(this.onExchange);
      });
    });
  }

  stream(request: StreamRequest): Promise<StreamResult> {
    const link = this.#connect();
    return new Promise((resolve) => {
      const stream = new ScriptedStream(
        request,
        { at: this.#clock.monotonic(), link },
        (result) => {
          this.#open.delete(link);
          resolve(result);
        },
      );
      this.streams.push(stream);
      queueMicrotask(() => {
        stream.arrive(this.onStream);
      });
    });
  }

  #connect(): Link {
    const link = { number: ++this.connections, isFrozen: false };
    this.#open.add(link);
    return link;
  }

  #idleOf(group: AbortSignal): Link[] {
    const known = this.#idle.get(group);
    if (known !== undefined) return known;
    const idle: Link[] = [];
    this.#idle.set(group, idle);
    group.addEventListener('abort', () => {
      for (const link of idle.splice(0)) this.#open.delete(link);
    });
    return idle;
  }
}

function authorizationOf({ options }: Authorized): string | undefined {
  return (options.headers as Record<string, string> | undefined)?.['Authorization'];
}

function networkError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`scripted: ${code}`), { code });
}
