// An HTTP server on loopback that a test scripts request by request, for what is about sockets.
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export class HttpBed {
  readonly seen: Seen[] = [];
  /** Connections that were opened. */
  connections = 0;
  readonly #server: Server;
  readonly #isSecure: boolean;

  private constructor(
    tls: ServerOptions | null,
    handle: (response: ServerResponse, request: IncomingMessage) => void,
  ) {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        this.seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
        handle(response, request);
      });
    };
    this.#isSecure = tls !== null;
    this.#server = tls === null ? createHttpServer(serve) : createHttpsServer(tls, serve);
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', () => this.connections++);
    // Handshakes that the client breaks off.
    this.#server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  }

  static async start(
    handle: (response: ServerResponse, request: IncomingMessage) => void = ok,
    tls: ServerOptions | null = null,
  ): Promise<HttpBed> {
    const bed = new HttpBed(tls, handle);
    await new Promise<void>((resolve) => void bed.#server.listen(0, '127.0.0.1', resolve));
    return bed;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#isSecure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

export function ok(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{}');
}
