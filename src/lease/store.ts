import type { SyncError } from '../errors.js';
import type { Announcement, Change, Lease, LeaseKey } from './record.js';

/**
 * The port between the protocol's world and the API server: requests in, outcomes out. What a server may
 * answer is a value here, never an exception, because the protocol has an answer to each of them.
 */

/** The request came back without an answer that settles it. A write may have landed, or land later. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly error: SyncError;
}

/** The server said no, or could not have heard us: the request had and will have no effect. */
export interface Refused {
  readonly kind: 'refused';
  readonly error: SyncError;
  /** Worth trying again by itself (429, nothing listening, gave up in our own queue). */
  readonly transient: boolean;
}

export type ReadOutcome =
  | { readonly kind: 'found'; readonly lease: Lease }
  | { readonly kind: 'missing' }
  | Refused
  | Unknown;

export type CreateOutcome =
  | { readonly kind: 'created'; readonly lease: Lease }
  | { readonly kind: 'exists' }
  | Refused
  | Unknown;

export type WriteOutcome =
  /** 200 or 201. The lease tells by its version, uid and stamp whether that was our write. */
  | { readonly kind: 'written'; readonly lease: Lease }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'missing' }
  | Refused
  | Unknown;

export type DeleteOutcome =
  | { readonly kind: 'deleted' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'missing' }
  | Refused
  | Unknown;

export type Outcome = ReadOutcome | CreateOutcome | WriteOutcome | DeleteOutcome;

/** For whose sake a request is made: those of holders leave first, then those that let go. */
export type Lane = 'holding' | 'vacating' | 'seeking';

export interface RequestOptions {
  /** Default: `seeking`. */
  readonly lane?: Lane;
  /** On the monotonic clock. In a lane the earliest leaves first; one still queued then comes back `refused`. */
  readonly deadline: number;
  /** Longest wait for an answer once sent, milliseconds; also sent to the server as `?timeout=`. */
  readonly limitMs: number;
  /** Silence of this length calls `onSilent` however slow the server has been; not before the usual time. */
  readonly patienceMs?: number;
  /** Called once, synchronously, just before the request leaves our hands; never while it is queued. */
  readonly onSent?: () => void;
  /** Called at most once: sent, but no answer for so long that it is wise to try again beside it. */
  readonly onSilent?: () => void;
  /** Takes a request that is still queued out of the queue (`refused`); one that was sent goes on. */
  readonly signal?: AbortSignal;
}

/** Metadata that every write keeps in place beside the protocol's own. */
export interface Decoration {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly Readonly<Record<string, unknown>>[];
}

export interface LeaseStore {
  /** The truth: a quorum read by name. */
  read(key: LeaseKey, options: RequestOptions): Promise<ReadOutcome>;
  create(
    key: LeaseKey,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<CreateOutcome>;
  /** Compare-and-swap onto exactly the uid and version of `base`. */
  write(
    base: Lease,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<WriteOutcome>;
  /**
   * Puts an announcement beside whatever stands there, or takes it away (`null`): onto exactly the uid of `base`, in
   * whatever version it is by then.
   */
  announce(
    base: Lease,
    id: string,
    announcement: Announcement | null,
    options: RequestOptions,
  ): Promise<WriteOutcome>;
  /** Deletes exactly the uid and version of `base`. */
  delete(base: Lease, options: RequestOptions): Promise<DeleteOutcome>;
}

/** What a watch can tell. It is advice: it wakes, compare-and-swap decides. */
export type WatchNews =
  | { readonly kind: 'present'; readonly lease: Lease }
  | { readonly kind: 'absent'; readonly version: bigint | null };

export interface WatchListener {
  news(news: WatchNews): void;
  /** `false`: no watch can be had (forbidden, not yet open, broken): poll. `true`: it delivers again. */
  live(on: boolean): void;
  /** History was skipped (410, reconnect without continuity): what is known may be outdated, read again. */
  gap(): void;
}

export interface WatchSubscription {
  /** Silence has lasted longer than the holder's heartbeat: reopen on a new connection. */
  suspect(): void;
  close(): void;
}

export interface LeaseWatch {
  /** @param from the version to continue from, or `null` for the state of now. */
  subscribe(key: LeaseKey, from: bigint | null, listener: WatchListener): WatchSubscription;
}

/** A line for people about a lease, of no consequence for the protocol. */
export interface Remark {
  readonly key: LeaseKey;
  readonly uid: string;
  /** Who says it. */
  readonly identity: string;
  readonly message: string;
}

export interface EventRecorder {
  /** Best effort: settles within seconds, whatever became of it; never rejects. */
  record(remark: Remark): Promise<void>;
}

/** The API server as the core knows it. */
export interface Connection {
  readonly store: LeaseStore;
  readonly watch: LeaseWatch;
  readonly events: EventRecorder;
  readonly defaultNamespace: string;
  /** Its URL, for messages. */
  readonly server: string;
  /** Tells how many leases the client holds, which decides how many connections its writes may use. */
  holding(count: number): void;
  /** Ends every connection at once; whatever is still on its way comes back with ClosedError. */
  close(): void;
}
