/** Requests and answers over `node:http`. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { replyOf, send } from './http.js';
import type { Headers, Incoming, Responder } from './responder.js';
import { StatusError } from './status.js';

const maxBodyBytes = 3 * 1024 * 1024;

/** @throws StatusError 413 beyond the limit of a real server */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  if (bytes <= maxBodyBytes) return Buffer.concat(chunks).toString('utf8');
  const message = `Request entity too large: limit is ${maxBodyBytes}`;
  throw new StatusError(413, 'RequestEntityTooLarge', message);
}

/** @param serve handles one request; it rejects only when the server itself has a defect */
export function httpServer(
  serve: (incoming: Incoming, responder: Responder) => Promise<void>,
): Server {
  const server = createServer((request, response) => {
    const responder = new HttpResponder(response);
    const serveRequest = async (): Promise<void> => {
      const { method = 'GET', url = '/', headers } = request;
      await serve({ method, url, headers, body: await readBody(request) }, responder);
    };
    serveRequest().catch((error: unknown) => {
      const reply = replyOf(() => {
        throw error;
      });
      send(responder, reply, new Date());
    });
  });
  // A real server keeps idle connections longer than any test takes.
  server.keepAliveTimeout = 0;
  return server;
}

class HttpResponder implements Responder {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get isGone(): boolean {
    return this.#response.destroyed;
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  answer(code: number, headers: Headers, body: string): void {
    this.#response.writeHead(code, {
      ...mutable(headers),
      'Content-Length': Buffer.byteLength(body),
    });
    this.#response.end(body);
  }

  begin(code: number, headers: Headers): void {
    this.#response.writeHead(code, mutable(headers));
    this.#response.flushHeaders();
  }

  write(text: string): void {
    if (!this.#response.writableEnded) this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }

  reset(): void {
    this.#response.socket?.resetAndDestroy();
  }

  onClose(callback: () => void): void {
    this.#response.once('close', callback);
  }
}

function mutable(headers: Headers): Record<string, string | string[]> {
  const entries = Object.entries(headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}
