/** What the fault knobs take and return. */
import type { RequestMatch } from './requests.js';

/** Which requests a fault meets, and how many of them. */
export interface FaultOptions {
  /** Which requests it meets. @defaultValue all, or all writes where the knob says so */
  readonly match?: RequestMatch | undefined;
  /** How many requests it meets before it is gone. @defaultValue no limit */
  readonly times?: number | undefined;
}

/** A fault in force. */
export interface FaultHandle {
  /** How many requests it has met. */
  readonly hits: number;
  /** Ends it; what it already did to requests under way stays done. Idempotent. */
  remove(): void;
}

/** Milliseconds to wait, before the request is handled, after it, or both. */
export interface DelayOptions extends FaultOptions {
  /** Before the request is handled. It is handled even when the client has hung up by then. */
  readonly requestMs?: number | undefined;
  /** Between the commit and the reply. */
  readonly responseMs?: number | undefined;
}

/** When the lost request is carried out, and what the client sees of it. */
export interface CommitLateOptions extends FaultOptions {
  readonly afterMs: number;
  /** What the client sees at once: a closed connection, or nothing at all. @defaultValue `'destroy'` */
  readonly connection?: 'destroy' | 'silent' | undefined;
}

/** The refusal to answer with. */
export interface StatusOptions extends FaultOptions {
  readonly code: number;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** Sent as `Retry-After` and in the Status. */
  readonly retryAfterSeconds?: number | undefined;
  /** Sent as it is instead of a Status, as `text/html`: what a proxy in front would say. */
  readonly body?: string | undefined;
  /** The request is handled all the same; its outcome is withheld. @defaultValue `false` */
  readonly afterCommit?: boolean | undefined;
}

/** Whether a request that hangs is ever answered. */
export interface HangOptions extends FaultOptions {
  /** Answer 504 when the request's own `?timeout=` is over, as a live server does. @defaultValue `false` */
  readonly honorTimeout?: boolean | undefined;
}

/** How a 410 reaches the client. */
export interface ExpireOptions extends FaultOptions {
  /** An ERROR event in a 200 answer, or the status of the answer. @defaultValue `'in-stream'` */
  readonly shape?: 'http' | 'in-stream' | undefined;
}

/** Which of the open watches are met. */
export interface WatchFaultOptions {
  /** @defaultValue all of them */
  readonly match?: RequestMatch | undefined;
}
