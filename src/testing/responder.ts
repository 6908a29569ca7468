/** A request and the way to answer it, the same for requests over sockets and for those within one process. */

export interface Incoming {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly 'content-type'?: string | undefined;
    readonly 'user-agent'?: string | undefined;
  };
  readonly body: string;
}

export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface Responder {
  /** The connection is gone. */
  readonly isGone: boolean;
  /** An answer has begun. */
  readonly hasBegun: boolean;
  /** Sends a whole answer. */
  answer(code: number, headers: Headers, body: string): void;
  /** Sends the head of an answer. Its body follows by `write` and `end`. */
  begin(code: number, headers: Headers): void;
  write(text: string): void;
  /** Ends an answer that `begin` began. */
  end(): void;
  /** Closes the connection, complete answer or not. */
  destroy(): void;
  /** Resets the connection. */
  reset(): void;
  /** Calls back once: when the answer is complete, or when the connection is gone. */
  onClose(callback: () => void): void;
}
