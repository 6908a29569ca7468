/** The wire port over `node:https` (or `node:http`): kept-alive connections for requests, new ones for watches. */
import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { Agents, endTunnelWith } from './agents.js';
import type {
  ExchangeRequest,
  ExchangeResult,
  HttpWire,
  StreamRequest,
  StreamResult,
  WireRequest,
} from './http-wire.js';

/** No Lease is larger: etcd takes 1.5 MiB. */
const BODY_LIMIT_BYTES = 4 * 2 ** 20;
/** A server that answers before it has read the whole request has this long to read the rest. */
const UNREAD_LIMIT_MS = 1_000;
const TCP_PROBE_AFTER_MS = 30_000;

export class NodeWire implements HttpWire {
  readonly #clock: Clock;
  readonly #isSecure: boolean;
  readonly #target: { readonly hostname: string; readonly port: string };
  readonly #basePath: string;
  readonly #kept: Agents;
  /** Each watch gets a connection of its own, which never carries anything else. */
  readonly #single: HttpAgent;

  /** @param server as `Endpoint.server` */
  constructor(server: string, clock: Clock) {
    this.#clock = clock;
    const { protocol, hostname, port, pathname } = new URL(server);
    this.#isSecure = protocol === 'https:';
    this.#target = { hostname: hostname.replace(/^\[|\]$/g, ''), port };
    this.#basePath = pathname === '/' ? '' : pathname;
    this.#kept = new Agents(this.#isSecure);
    this.#single = this.#isSecure ? new HttpsAgent() : new HttpAgent();
  }

  exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const { authorized, connections, body } = request;
    const agent = this.#kept.take(connections, authorized);
    const headers = body === undefined ? {} : bodyHeaders(request.method, body);
    const sent = this.#open(request, agent, headers);
    return new Promise((resolve) => this.#collectAnswer(sent, request, resolve));
  }

  stream(request: StreamRequest): Promise<StreamResult> {
    const agent = request.authorized.proxyAgent ?? this.#single;
    const sent = this.#open(request, agent, {});
    return new Promise((resolve) => follow(sent, request, resolve));
  }

  /** Builds the request; nothing is written before its `end()`. */
  #open(
    { authorized: { options }, method, path, signal }: WireRequest,
    agent: HttpAgent,
    headers: Readonly<Record<string, string | number>>,
  ): ClientRequest {
    endTunnelWith(signal, agent);
    const request = (this.#isSecure ? requestHttps : requestHttp)({
      ...options,
      ...this.#target,
      ...{ agent, method, path: this.#basePath + path },
      headers: { ...(options.headers as object), 'User-Agent': 'metaparticle-sync', ...headers },
    });
    const onAbort = (): void => breakOff(request, signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('close', () => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) queueMicrotask(onAbort);
    return request;
  }

  #collectAnswer(
    request: ClientRequest,
    { body, onFree }: ExchangeRequest,
    resolve: (result: ExchangeResult) => void,
  ): void {
    let mayHaveLeft = false;
    request.once('socket', (socket: Socket) => {
      // Whether the process lives is decided above.
      socket.unref();
      whenUsable(socket, request.reusedSocket, () => (mayHaveLeft = true));
    });
    const broken = (error: NodeJS.ErrnoException): void =>
      resolve({ kind: 'broken', error, mayHaveLeft, wasIdle: request.reusedSocket });
    request.on('error', broken);
    request.once('close', () => {
      broken(new Error('the connection was closed without an answer'));
      onFree();
    });
    request.once('response', (response) => {
      response.on('error', broken);
      collect(response, request, (text) => {
        const { statusCode: status = 0, headers } = response;
        resolve({ kind: 'answered', status, headers, body: text });
        const cancel = this.#clock.after(UNREAD_LIMIT_MS, () => request.destroy());
        request.once('close', cancel);
      });
    });
    request.end(body);
  }
}

function follow(
  request: ClientRequest,
  { sink }: StreamRequest,
  resolve: (result: StreamResult) => void,
): void {
  const broken = (error: Error): void => resolve({ kind: 'broken', error });
  request.on('error', broken);
  request.once('close', () => broken(new Error('the connection was closed')));
  request.once('socket', (socket: Socket) => {
    socket.unref();
    socket.setKeepAlive(true, TCP_PROBE_AFTER_MS);
  });
  request.once('response', (response) => {
    response.on('error', broken);
    const { statusCode: status = 0, headers } = response;
    if (status === 200) {
      response.on('data', (chunk: Buffer) => sink.chunk(chunk));
      response.once('end', () => resolve({ kind: 'ended' }));
    } else {
      collect(response, request, (body) => resolve({ kind: 'refused', status, headers, body }));
    }
    sink.begun(status);
  });
  request.end();
}

/**
 * Ends a request early, also one that its agent has no connection for: of such a request Node.js says nothing, and
 * behind a proxy that does not answer it may never get one.
 */
function breakOff(request: ClientRequest, error: Error): void {
  request.destroy(error);
  if (request.socket !== null) return;
  request.emit('error', error);
  request.emit('close');
}

/** Data written before the handshake is done waits for it, and dies with the socket if it fails. */
function whenUsable(socket: Socket, isReused: boolean, usable: () => void): void {
  const { secureConnecting } = socket as Socket & { readonly secureConnecting?: boolean };
  // Some connections fail before there is a socket to see: no route, a name that is known to be unknown.
  if (socket.destroyed && !isReused) return;
  if (isReused || (!socket.connecting && secureConnecting !== true)) usable();
  else socket.once(secureConnecting === true ? 'secureConnect' : 'connect', usable);
}

/** Hands the whole body over, once; an overlong one breaks the request instead. */
function collect(
  response: IncomingMessage,
  request: ClientRequest,
  done: (text: string) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > BODY_LIMIT_BYTES) request.destroy(new Error(`an answer of more than ${size} bytes`));
  });
  response.once('end', () => done(Buffer.concat(chunks).toString('utf8')));
}

function bodyHeaders(method: string, body: string): Record<string, string | number> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) };
}
