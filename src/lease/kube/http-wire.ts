/**
 * The network as requests and watches see it: one question with one answer, and one answer that goes on. Behind it
 * stand real sockets (`node-wire.ts`) or, in tests, a model of the API server on virtual time. What is sent, when,
 * and what a failure means is decided above it; bytes and connections are handled below.
 */
import type { Authorized } from './endpoint.js';

export interface WireRequest {
  readonly method: string;
  /** Path and query, below the path of the server's own URL. */
  readonly path: string;
  readonly authorized: Authorized;
  /** Breaks the request off once aborted; the outcome is then `broken`, with the signal's reason as its error. */
  readonly signal: AbortSignal;
}

export interface ExchangeRequest extends WireRequest {
  readonly body?: string | undefined;
  /**
   * Requests that name the same signal may share connections, one after the other. Once it is aborted, idle
   * connections are closed and no connection serves another request.
   */
  readonly connections: AbortSignal;
  /**
   * Called once, when the connection can serve another request or is gone: that may be a little after the answer,
   * which can be here before the request is known to be written.
   */
  readonly onFree: () => void;
}

export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type ExchangeResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** Names in lower case. */
      readonly headers: ResponseHeaders;
      readonly body: string;
    }
  | {
      readonly kind: 'broken';
      readonly error: NodeJS.ErrnoException;
      /** Whether a byte of the request may have reached the server. */
      readonly mayHaveLeft: boolean;
      /** The connection had been idle: the server may just have closed it, which is no sign of trouble. */
      readonly wasIdle: boolean;
    };

export interface StreamRequest extends WireRequest {
  readonly sink: {
    /** The answer has begun. */
    begun(status: number): void;
    /** A part of the body of an answer of status 200. */
    chunk(chunk: Buffer): void;
  };
}

export type StreamResult =
  /** By the server, in good order. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'broken'; readonly error: Error }
  /** Another answer than 200. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly headers: ResponseHeaders;
      readonly body: string;
    };

export interface HttpWire {
  /**
   * Sends a request and collects the answer. The promise never rejects.
   * @throws when the request cannot even be built (an unusable certificate): nothing was sent then
   */
  exchange(request: ExchangeRequest): Promise<ExchangeResult>;
  /**
   * Sends a request, on a connection of its own, and hands over its answer as it comes. The promise never rejects.
   * @throws as `exchange`
   */
  stream(request: StreamRequest): Promise<StreamResult>;
}

/**
 * The pause that the server asks for, `null` when it asks for none.
 * @param wall what the wall clock shows, for a pause that is given as a date
 */
export function retryAfterMs(headers: ResponseHeaders, wall: () => number): number | null {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - wall();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
