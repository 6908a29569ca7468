import { Agent as HttpAgent } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import type { Door } from './endpoint.js';
import { breakOff, collect, retryAfterMs } from './exchange.js';
import { wordsOf } from './words.js';

/** How one connection of a watch came to its end. */
export type StreamEnd =
  /** By the server, in good order. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'broken'; readonly error: Error }
  /** Another answer than 200. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly body: string;
      readonly pauseMs: number;
    };

export interface StreamSink {
  /** The answer has begun: from here on nothing is missed. */
  live(): void;
  chunk(chunk: Buffer): void;
}

/** A server that takes longer for its first byte is as good as none. */
const HEADERS_LIMIT_MS = 5000;
const TCP_PROBE_AFTER_MS = 30_000;
/** Handshakes at a time: a thousand at once would keep renewals waiting. */
const OPENING_AT_ONCE = 8;

/** Opens watches: each on a new connection, which never carries anything else. */
export class StreamOpener {
  readonly #endpoint: Door;
  readonly #clock: Clock;
  readonly #agent: HttpAgent;
  readonly #waiting: (() => void)[] = [];
  #opening = 0;

  constructor(endpoint: Door, clock: Clock) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#agent = endpoint.isSecure ? new HttpsAgent() : new HttpAgent();
  }

  /** Never rejects. An aborted `signal` breaks the connection. */
  async run(path: string, sink: StreamSink, signal: AbortSignal): Promise<StreamEnd> {
    if (this.#opening >= OPENING_AT_ONCE) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#opening++;
    const letNext = once(() => {
      this.#opening--;
      this.#waiting.shift()?.();
    });
    try {
      const authorized = signal.aborted ? null : await this.#endpoint.authorize();
      if (authorized === null || signal.aborted) return broken(new Error('given up'));
      const agent = authorized.proxyAgent ?? this.#agent;
      const request = this.#endpoint.open(authorized, agent, 'GET', path, {});
      return await this.#follow(request, sink, signal, letNext);
    } catch (error) {
      return broken(new Error(wordsOf(error)));
    } finally {
      letNext();
    }
  }

  async #follow(
    request: ClientRequest,
    sink: StreamSink,
    signal: AbortSignal,
    onAnswer: () => void,
  ): Promise<StreamEnd> {
    const stop = (why: string): void => breakOff(request, new Error(why));
    const onAbort = (): void => stop('given up');
    signal.addEventListener('abort', onAbort, { once: true });
    const onLimit = (): void => stop(`no answer within ${HEADERS_LIMIT_MS} ms`);
    const cancelLimit = this.#clock.after(HEADERS_LIMIT_MS, onLimit);
    request.once('response', cancelLimit).once('response', onAnswer);
    try {
      return await receive(request, sink);
    } finally {
      cancelLimit();
      signal.removeEventListener('abort', onAbort);
    }
  }
}

function receive(request: ClientRequest, sink: StreamSink): Promise<StreamEnd> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve(broken(error));
    request.on('error', fail);
    request.once('close', () => fail(new Error('the connection was closed')));
    request.once('socket', (socket: Socket) => {
      socket.unref();
      socket.setKeepAlive(true, TCP_PROBE_AFTER_MS);
    });
    request.once('response', (response) => {
      response.on('error', fail);
      if (response.statusCode === 200) deliver(response, sink, resolve);
      else refuse(response, request, resolve);
    });
    request.end();
  });
}

function deliver(response: IncomingMessage, sink: StreamSink, end: (end: StreamEnd) => void): void {
  response.on('data', (chunk: Buffer) => sink.chunk(chunk));
  response.once('end', () => end({ kind: 'ended' }));
  sink.live();
}

function refuse(
  response: IncomingMessage,
  request: ClientRequest,
  end: (end: StreamEnd) => void,
): void {
  const { statusCode: status = 0, headers } = response;
  const pauseMs = retryAfterMs(headers) ?? 0;
  collect(response, request, (body) => end({ kind: 'refused', status, body, pauseMs }));
}

function broken(error: Error): StreamEnd {
  return { kind: 'broken', error };
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
