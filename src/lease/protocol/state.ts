/**
 * Pure: the words of the protocol: states, events, steps, and which event may lead where.
 *
 * Theory of operation. One machine is one attempt to acquire one lease, from the wish to the end of the
 * term. It *seeks* (looks, waits, claims), *holds* (renews), *vacates* (leaves no trace behind) and is
 * *over*. It never performs anything: `nextStep` says what is to be done now, somebody does it, and every
 * outcome comes back as an event through `advance`. Lost requests, lost replies and writes that land late
 * are events like any other.
 *
 * Two clocks, never mixed: what a *candidate* waits for is monotonic (stands still in suspension, so never
 * too short), what a *holder* believes is elapsed time (counts suspension, so never too long).
 *
 * Evidence is the sight of the lease alone. A write of ours counts because its stamp is seen in the
 * record, be it in its own answer, in a read or in an event; an answer without it credits nothing.
 */
import type { LossReason, SyncError } from '../../errors.js';
import type { Announcement, Change, Lease } from '../record.js';
import type { Pace } from './contention.js';
import type { Present, Sight } from './sight.js';

/** What one attempt goes by; fixed until its end (a shortened duration would outlive the record). */
export interface Terms {
  readonly identity: string;
  /** Random, one per attempt. */
  readonly nonce: string;
  readonly durationMs: number;
  readonly marginMs: number;
  /** At most this much of all suspensions between two moments is missing from `elapsed`. */
  readonly unseenMs: number;
  readonly renewIntervalMs: number;
  readonly trustServerClock: boolean;
  readonly deleteOnRelease: boolean;
  /** Wait for it; give way at once when somebody else holds it; or only look, and never write. */
  readonly aim: 'hold' | 'try' | 'observe';
  /** Take it from this term without waiting, and from no other: nothing else is acquired then. */
  readonly evicts?: Evicted;
  /** Random, one per attempt: the name of its announcement. */
  readonly announcementId: string;
  /** How long it waits before it announces itself; `null` for one that never does. */
  readonly announceAfterMs: number | null;
}

/** A term by its token; where it has none, by its holder. */
export type Evicted = { readonly token: bigint } | { readonly holder: string };

/** A compare-and-swap of ours that may have landed or may yet land. */
export interface Write {
  readonly intent: 'claim' | 'renew' | 'vacate' | 'bump' | 'announce';
  /** The version it replaces. Once a newer one is seen it has landed or never will. */
  readonly base: bigint;
  /** The `renewTime` it writes: unique among our writes, so the record tells which of them landed. */
  readonly stamp: number;
  /** Elapsed time just before it left our hands, `null` while it is queued. */
  readonly sentAt: number | null;
  /** An answer is awaited, or we stopped waiting for it and it may land whenever it likes. */
  readonly awaited: boolean;
}

export type Request = 'read' | 'create' | 'write' | 'delete' | 'announce';

/** What an attempt knows of its own wait, and of its announcement. */
export interface Waiting {
  /** When it began, on the monotonic clock. */
  readonly since: number;
  /** The first term of the lease that it saw, `null` before one. */
  readonly firstTerm: string | null;
  /** It saw another term after that one: others get the lease while it waits. */
  readonly hasChangedHands: boolean;
  /** A request that announces it, or takes its announcement back, has not been answered yet. */
  readonly isAnnouncing: boolean;
  /** No announcement before, on the monotonic clock. */
  readonly announceAt: number;
  /** The verb `patch` has not been refused. Without it the announcement is a compare-and-swap, which may lose. */
  readonly mayPatch: boolean;
}

export interface Seeking {
  readonly kind: 'seeking';
  readonly sight: Sight;
  readonly writes: readonly Write[];
  readonly asking: 'read' | 'create' | null;
  /** When to look again because of a doubt, `null` without one. */
  readonly readAt: number | null;
  /** No request before. */
  readonly retryAt: number;
  readonly pace: Pace;
  readonly waiting: Waiting;
  /** A watch delivers; without one we poll. */
  readonly watched: boolean;
  /** A read of our own was answered: what we go by is not only hearsay from before. */
  readonly looked: boolean;
  /** Requests that were once allowed: a later refusal of theirs may pass, a first one will not. */
  readonly proven: readonly Request[];
  readonly failure: SyncError | null;
  /** See {@link Vacating.unmarked}. */
  readonly unmarked: bigint | null;
  readonly lastStamp: number;
}

export interface Holding {
  readonly kind: 'holding';
  readonly sight: Present;
  readonly writes: readonly Write[];
  readonly asking: 'read' | null;
  readonly readAt: number | null;
  readonly token: bigint;
  /** End of belief, in elapsed time: last credited send + duration − margin. */
  readonly heldUntil: number;
  /** When the next renewal is due, in elapsed time. */
  readonly renewAt: number;
  readonly lastStamp: number;
}

export interface Vacating {
  readonly kind: 'vacating';
  readonly sight: Sight;
  readonly writes: readonly Write[];
  readonly asking: 'read' | 'delete' | null;
  readonly readAt: number | null;
  readonly retryAt: number;
  /** Effort ends here: a ghost costs others one duration of waiting, never safety. */
  readonly giveUpAt: number;
  /** A handle existed; otherwise an acquisition was called off. */
  readonly wasHeld: boolean;
  /** Our vacating write was seen in the record. */
  readonly confirmed: boolean;
  /** The version that a claim of ours became, when its answer shows it without our mark; `null` otherwise. */
  readonly unmarked: bigint | null;
  readonly waiting: Waiting;
  /** Its announcement, which may stand there, has been taken back, or that was tried. */
  readonly hasWithdrawn: boolean;
  readonly lastStamp: number;
}

export interface Over {
  readonly kind: 'over';
  readonly end:
    | { readonly how: 'lost'; readonly reason: LossReason; readonly token: bigint }
    /** Confirmed by the server, or left to run out, or never held. */
    | { readonly how: 'released' | 'left' | 'withdrawn' };
}

export type State = Seeking | Holding | Vacating | Over;

/** How a request other than its news ended. */
export type Verdict =
  | { readonly kind: 'ok' | 'conflict' | 'unknown' }
  /** It landed, and the answer shows that what makes the record ours was not stored as it was written. */
  | { readonly kind: 'altered'; readonly lease: Lease }
  | { readonly kind: 'refused'; readonly error: SyncError; readonly transient: boolean };

export type Event =
  /** A step other than waiting is being performed. */
  | { readonly type: 'begun'; readonly step: Step }
  /** Something new is known of the lease, by whatever way. */
  | { readonly type: 'news'; readonly sight: Sight; readonly pace: Pace }
  /** A write leaves our hands this instant. */
  | { readonly type: 'sent'; readonly stamp: number }
  /** A write was sent, and its answer is overdue. */
  | { readonly type: 'silent'; readonly stamp: number }
  /** A write was answered; its news came first. */
  | { readonly type: 'settled'; readonly stamp: number; readonly verdict: Verdict }
  /** Any other request was answered; its news came first. */
  | {
      readonly type: 'answered';
      readonly request: Exclude<Request, 'write'>;
      readonly verdict: Verdict;
    }
  | { readonly type: 'watch'; readonly live: boolean; readonly gap: boolean }
  | { readonly type: 'tick' }
  /** Release what is held, or call the acquisition off. */
  | { readonly type: 'stop' }
  /** Stop believing without a release: work that does not end is owed the rest of the lease. */
  | { readonly type: 'abandon' };

export type Step =
  /** Nothing before so many milliseconds (possibly `Infinity`) unless an event comes. */
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'read'; readonly why: 'first' | 'doubt' | 'silence' | 'poll' }
  | { readonly do: 'create'; readonly change: Change }
  | {
      readonly do: 'write';
      readonly write: Write;
      readonly base: Lease;
      readonly change: Change;
    }
  | { readonly do: 'delete'; readonly base: Lease }
  /** Writes the announcement of this attempt onto whatever stands there, or takes it away (`null`). */
  | { readonly do: 'announce'; readonly base: Lease; readonly announcement: Announcement | null }
  /** To be told to whoever waits, and answered by `stop`. */
  | { readonly do: 'fail'; readonly error: SyncError }
  | { readonly do: 'yield'; readonly lease: Lease | null }
  | { readonly do: 'end' };

type StateKind = State['kind'];
type EventType = Event['type'];

/**
 * Where each event may lead. An event that is not listed for a state is illegal there: `advance` throws and
 * the state stays as it was. The state diagram in the documentation is drawn from this table.
 */
export const transitions: Readonly<
  Record<StateKind, Readonly<Partial<Record<EventType, readonly StateKind[]>>>>
> = {
  seeking: {
    begun: ['seeking'],
    news: ['seeking', 'holding'],
    sent: ['seeking'],
    silent: ['seeking'],
    settled: ['seeking'],
    answered: ['seeking'],
    watch: ['seeking'],
    tick: ['seeking'],
    stop: ['vacating', 'over'],
  },
  holding: {
    begun: ['holding', 'over'],
    news: ['holding', 'over'],
    sent: ['holding', 'over'],
    silent: ['holding', 'over'],
    settled: ['holding', 'over'],
    answered: ['holding', 'over'],
    watch: ['holding', 'over'],
    tick: ['holding', 'over'],
    stop: ['vacating', 'over'],
    abandon: ['over'],
  },
  vacating: {
    begun: ['vacating', 'over'],
    news: ['vacating', 'over'],
    sent: ['vacating', 'over'],
    silent: ['vacating', 'over'],
    settled: ['vacating', 'over'],
    answered: ['vacating', 'over'],
    watch: ['vacating', 'over'],
    tick: ['vacating', 'over'],
  },
  over: {},
};

/** An event that its state has no place for: a fault of the caller, never of the network. */
export class IllegalEventError extends Error {
  constructor(
    readonly state: StateKind,
    readonly event: EventType,
    why: string,
  ) {
    super(`illegal event ${event} in state ${state}: ${why}`);
    this.name = 'IllegalEventError';
  }
}
