// Stands between a client and an API server: ends TLS towards the one with the certificate of the other, and
// decides about each connection and each request.
import * as https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { applyFault } from './request-fault.js';
import type { RequestHead, RequestFault } from './request-fault.js';

export interface ProxyOptions {
  /** URL of the API server. */
  readonly upstream: string;
  /** PEM: what the API server shows, so that its clients trust the proxy as well. */
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Some of the requests, and what becomes of them. */
export interface RequestRule {
  readonly matches: (head: RequestHead) => boolean;
  readonly fault: () => RequestFault;
}

export class Proxy {
  #url = '';
  #upstream: string;
  readonly #home: string;
  #lastAuthorization = '';
  #hits = 0;
  #isHalfOpen = false;
  #watchesFlow = Promise.resolve();
  #resumeWatches = (): void => undefined;
  readonly #faults = new Set<RequestRule>();
  readonly #sockets = new Set<Socket>();
  readonly #dead = new Set<number>();
  readonly #agent: https.Agent;
  readonly #tcp: Server;
  readonly #tls: https.Server;

  /** Listens on a free loopback port. */
  static async start(options: ProxyOptions): Promise<Proxy> {
    const proxy = new Proxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#tcp.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const { port } = proxy.#tcp.address() as AddressInfo;
    proxy.#url = `https://127.0.0.1:${port}`;
    return proxy;
  }

  private constructor({ upstream, cert, key }: ProxyOptions) {
    this.#upstream = upstream;
    this.#home = upstream;
    this.#agent = new https.Agent({ keepAlive: true, ca: cert });
    this.#tls = https.createServer(
      { cert, key, keepAliveTimeout: 600_000 },
      (request, response) => {
        void this.#take(request, response);
      },
    );
    this.#tls.on('tlsClientError', () => undefined);
    // As any API server: an answer in two parts must not wait for an acknowledgement.
    this.#tcp = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get url(): string {
    return this.#url;
  }

  /** How many requests met a fault, half-open connections left out. */
  get hits(): number {
    return this.#hits;
  }

  /** What its clients prove themselves by. */
  get lastAuthorization(): string {
    return this.#lastAuthorization;
  }

  /** Imposes a fault on requests from now on, until the returned function is called. The first one that fits counts. */
  impose(fault: RequestRule): () => void {
    this.#faults.add(fault);
    return () => this.#faults.delete(fault);
  }

  /** All watches fall silent until it is lifted; what they missed comes then. */
  stallWatches(): () => void {
    this.#watchesFlow = new Promise((resolve) => (this.#resumeWatches = resolve));
    return this.#resumeWatches;
  }

  /**
   * As when the way back is gone: all connections stay open and stay silent, new ones are accepted and say nothing,
   * until the returned function is called.
   */
  halfOpen(): () => void {
    this.#isHalfOpen = true;
    for (const { remotePort } of this.#sockets) this.#dead.add(remotePort ?? 0);
    return () => (this.#isHalfOpen = false);
  }

  /** Lifts every fault that is imposed, and leads to the API server that it was made for. */
  heal(): void {
    this.#faults.clear();
    this.#isHalfOpen = false;
    this.#resumeWatches();
    this.#upstream = this.#home;
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Requests go to another API server from now on; connections are broken, as a balancer's would be. */
  route(upstream: string): void {
    this.#upstream = upstream;
    this.cut();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#tcp.close(resolve));
    this.cut();
    this.#agent.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const port = socket.remotePort ?? 0;
    this.#sockets.add(socket);
    // A port may come again, with a new connection.
    this.#dead.delete(port);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#isHalfOpen) this.#dead.add(port);
    else this.#tls.emit('connection', socket);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const port = request.socket.remotePort ?? 0;
    const isDead = (): boolean => this.#dead.has(port);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    if (isDead()) return;
    this.#lastAuthorization = request.headers.authorization ?? '';
    const head = headOf(request);
    const fault = [...this.#faults].find(({ matches }) => matches(head));
    if (fault !== undefined) this.#hits += 1;
    const upstream = this.#upstream;
    const relay = { request, response, body: Buffer.concat(chunks), upstream, agent: this.#agent };
    const flow = (): Promise<void> => (head.isWatch ? this.#watchesFlow : Promise.resolve());
    await applyFault({ ...relay, isDead, flow }, fault?.fault());
  }
}

function headOf({ method = '', url = '' }: IncomingMessage): RequestHead {
  const [path = '', query = ''] = url.split('?');
  const isWatch = new URLSearchParams(query).has('watch');
  return { method, path, isWatch, isWrite: method !== 'GET' };
}
