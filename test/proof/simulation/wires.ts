// Stand-ins for what node:http gives: as much of a request, its socket and its response as is used.
import { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';

/** The wire that a request is put on. */
export interface Line {
  /** The whole request leaves. */
  send(body: string | undefined, wire: Wire): void;
  /** The client gave it up. */
  drop(): void;
}

class Socket extends EventEmitter {
  constructor(readonly connecting: boolean) {
    super();
  }

  unref(): void {
    // Nothing here keeps a process alive.
  }

  setKeepAlive(): void {
    // Nor is anything probed.
  }
}

class Response extends EventEmitter {
  constructor(
    readonly statusCode: number,
    readonly headers: Readonly<Record<string, string>>,
  ) {
    super();
  }
}

/** A request as its sender sees it, and as the network moves it on. */
export class Wire extends EventEmitter {
  readonly reusedSocket: boolean;
  readonly #line: Line;
  readonly #socket: Socket;
  #response: Response | null = null;
  #isDone = false;

  constructor(line: Line, isReused: boolean) {
    super();
    this.#line = line;
    this.reusedSocket = isReused;
    this.#socket = new Socket(!isReused);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  end(body?: string): void {
    this.emit('socket', this.#socket);
    this.#line.send(body, this);
  }

  destroy(error?: Error): this {
    if (this.#isDone) return this;
    this.#isDone = true;
    this.#line.drop();
    queueMicrotask(() => this.#close(error));
    return this;
  }

  connected(): void {
    if (!this.#isDone && !this.reusedSocket) this.#socket.emit('connect');
  }

  broken(error: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#close(error);
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#isDone) return;
    this.#response = new Response(status, headers);
    this.emit('response', this.#response);
  }

  data(text: string): void {
    if (!this.#isDone) this.#response?.emit('data', Buffer.from(text));
  }

  finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#response?.emit('end');
    this.emit('close');
  }

  /** As a request of node:http, for those who use no more of it than there is here. */
  asRequest(): ClientRequest {
    return this as unknown as ClientRequest;
  }

  #close(error: Error | undefined): void {
    const failure = error ?? new Error('aborted');
    if (this.#response === null) this.emit('error', failure);
    else if (this.#response.listenerCount('error') > 0) this.#response.emit('error', failure);
    this.emit('close');
  }
}

export function networkError(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}
