/** A request as it arrived, and the way back to its sender, whatever brought it: a socket, or a call in one process. */

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
  /** A whole answer. */
  answer(code: number, headers: Headers, body: string): void;
  /** The head of an answer that goes on. */
  begin(code: number, headers: Headers): void;
  write(text: string): void;
  /** The end of an answer that went on. */
  end(): void;
  /** Closes the connection, whatever is under way. */
  destroy(): void;
  /** The same by a reset. */
  reset(): void;
  /** Calls back once, when the answer is complete or the connection is gone. */
  onClose(callback: () => void): void;
}
