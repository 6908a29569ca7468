import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { RequestOptions } from 'node:https';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly at: number;
  /** Number of its connection, from 1. */
  readonly connection: number;
}

export type Handler = (request: Seen, response: ServerResponse) => void;

/** An HTTP server that a test scripts request by request. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  handler: Handler;
  readonly #server: Server;
  readonly #numbers = new WeakMap<Socket, number>();
  #port = 0;
  connections = 0;

  private constructor(handler: Handler) {
    this.handler = handler;
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket) => this.#numbers.set(socket, ++this.connections));
  }

  static async start(handler: Handler = ok): Promise<ScriptedServer> {
    const server = new ScriptedServer(handler);
    await server.listen();
    return server;
  }

  /** Listens, again on its old port after `stop`. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get kubeConfig(): KubeConfigLike {
    return kubeConfigOf(this.url);
  }

  /** Closes what is idle, as a server does after a while. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  /** Ends as a process does: connections are reset, new ones refused. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', this.url);
      const seen = {
        ...{ method: request.method ?? '', path: pathname, query: searchParams },
        ...{ headers: request.headers, body: Buffer.concat(chunks).toString(), at },
        connection: this.#numbers.get(request.socket) ?? 0,
      };
      this.seen.push(seen);
      this.handler(seen, response);
    });
  }
}

export function ok(_request: Seen, response: ServerResponse): void {
  json(response, 200, {});
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function kubeConfigOf(
  server: string,
  apply: (options: RequestOptions) => Promise<void> = () => Promise.resolve(),
): KubeConfigLike {
  return {
    getCurrentCluster: () => ({ server }),
    getCurrentContext: () => 'test',
    getContextObject: () => ({ namespace: 'default' }),
    applyToHTTPSOptions: apply,
  };
}
