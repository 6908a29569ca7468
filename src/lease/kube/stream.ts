import type { Clock } from '../clock.js';
import type { Door } from './endpoint.js';
import { retryAfterMs } from './http-wire.js';
import type { HttpWire, StreamResult } from './http-wire.js';
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

/** A server that takes longer for its first byte is as good as none; so are credentials. */
const HEADERS_LIMIT_MS = 5000;
/** Handshakes at a time: a thousand at once would keep renewals waiting. */
const OPENING_AT_ONCE = 8;

/** Opens watches: each on a new connection, which never carries anything else. */
export class StreamOpener {
  readonly #endpoint: Door;
  readonly #wire: HttpWire;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #opening = 0;

  constructor(endpoint: Door, wire: HttpWire, clock: Clock) {
    this.#endpoint = endpoint;
    this.#wire = wire;
    this.#clock = clock;
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
    const connection = new AbortController();
    const onAbort = (): void => connection.abort(new Error('given up'));
    signal.addEventListener('abort', onAbort, { once: true });
    const onLimit = (): void =>
      connection.abort(new Error(`no answer within ${HEADERS_LIMIT_MS} ms`));
    const cancelLimit = this.#clock.after(HEADERS_LIMIT_MS, onLimit);
    try {
      if (signal.aborted) onAbort();
      const authorized = await this.#endpoint.authorize(this, connection.signal);
      const result = await this.#wire.stream({
        ...{ method: 'GET', path, authorized, signal: connection.signal },
        sink: {
          begun(status) {
            letNext();
            // The body of a refusal has to come within the limit, too.
            if (status !== 200) return;
            cancelLimit();
            sink.live();
          },
          chunk: (chunk) => sink.chunk(chunk),
        },
      });
      if (result.kind === 'refused' && result.status === 401) this.#endpoint.refused(authorized);
      return this.#conclude(result);
    } catch (error) {
      return broken(new Error(wordsOf(error)));
    } finally {
      cancelLimit();
      signal.removeEventListener('abort', onAbort);
      letNext();
    }
  }

  #conclude(result: StreamResult): StreamEnd {
    if (result.kind !== 'refused') return result;
    const { status, headers, body } = result;
    const pauseMs = retryAfterMs(headers, () => this.#clock.now().wall) ?? 0;
    return { kind: 'refused', status, body, pauseMs };
  }
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
