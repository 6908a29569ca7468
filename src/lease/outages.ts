import { publishOutage } from '../diagnostics.js';
import { ApiUnreachableError, SyncWarning, type SyncError } from '../errors.js';
import type { Clock } from './clock.js';
import { keyOf, type LeaseKey } from './record.js';
import type { LeaseStore, Outcome, RequestOptions } from './store.js';

/** What a client waits for without a usable answer of the API server. */
export interface Outage {
  /** URL of the API server. */
  readonly server: string;
  /** How long there has been no usable answer for the Lease that has waited longest, milliseconds. */
  readonly sinceMs: number;
  /** `namespace/name` of each Lease that is waited for, or held, without an answer for more than 5 s. */
  readonly leases: readonly string[];
  /** What the last request failed with. */
  readonly lastFailure: string;
}

/** A lease that attempts of this client wait for or hold. */
interface Entry {
  readonly lease: string;
  readonly server: string;
  attempts: number;
  /** When the first request was made that is not followed by a usable answer; `null` when there is none. */
  since: number | null;
  /** From when on it counts for the next warning: `since`, or later. */
  countsFrom: number;
  /** How many usable answers the client had got by then. */
  answersBefore: number;
  /** Some request has left. One that waits in our own queue says nothing of the server. */
  wasSent: boolean;
  isOverdue: boolean;
  /** Warned of by itself, and not as a part of an outage of the server. */
  isTold: boolean;
  failure: SyncError | null;
}

/** So long the API server may leave a client without a usable answer before it is worth a word. */
const LIMIT_MS = 5_000;

/** An outage that no request has met for so long is another one when the next request fails. */
const FORGOTTEN_MS = 60_000;

/**
 * Notices that what a client waits for, or holds, gets no usable answer, and that it does again. Warns once per outage:
 * of the API server when no request of the client is answered, of a single lease when others are (a webhook that fails
 * for one namespace, say).
 */
export class Outages {
  readonly #clock: Clock;
  readonly #warn: (warning: SyncWarning) => void;
  readonly #entries = new Map<string, Entry>();
  /** Those that have made a request and got no usable answer yet, in the order of their requests. */
  readonly #waiting = new Set<Entry>();
  #answers = 0;
  /** The outage of the server that was warned of: since when it lasts. */
  #told: number | null = null;
  #idleSince = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, warn: (warning: SyncWarning) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  /**
   * An attempt at the lease begins.
   * @returns the store that it has to use, and what is to be called when it has ended
   */
  begin(key: LeaseKey, store: LeaseStore, server: string): { store: LeaseStore; end: () => void } {
    const entry = this.#enter(keyOf(key), server);
    return { store: this.#observed(entry, store), end: () => this.#leave(entry) };
  }

  /** `null` when everything that was waited for in the last 5 s was answered. */
  get current(): Outage | null {
    const overdue = [...this.#entries.values()].filter(({ isOverdue }) => isOverdue);
    const since = Math.min(...overdue.map((entry) => entry.since ?? Infinity));
    const last = overdue.at(-1);
    if (last === undefined) return null;
    return {
      server: last.server,
      sinceMs: this.#clock.monotonic() - since,
      leases: overdue.map(({ lease }) => lease),
      lastFailure: failureOf(last).message,
    };
  }

  #enter(lease: string, server: string): Entry {
    const isForgotten = this.#clock.monotonic() - this.#idleSince > FORGOTTEN_MS;
    if (this.#entries.size === 0 && isForgotten) this.#told = null;
    const entry = this.#entries.get(lease) ?? {
      ...{ lease, server, attempts: 0, since: null, countsFrom: 0, answersBefore: 0 },
      ...{ wasSent: false, isOverdue: false, isTold: false, failure: null },
    };
    entry.attempts++;
    this.#entries.set(lease, entry);
    return entry;
  }

  #leave(entry: Entry): void {
    if (--entry.attempts > 0) return;
    this.#entries.delete(entry.lease);
    this.#clear(entry);
    if (this.#entries.size === 0) this.#idleSince = this.#clock.monotonic();
  }

  #observed(entry: Entry, store: LeaseStore): LeaseStore {
    const observe = async <T extends Outcome>(
      options: RequestOptions,
      request: (options: RequestOptions) => Promise<T>,
    ): Promise<T> => {
      let wasSent = false;
      const onSent = (): void => {
        wasSent = true;
        this.#sent(entry);
        options.onSent?.();
      };
      this.#asked(entry);
      const outcome = await request({ ...options, onSent });
      this.#ended(entry, outcome, wasSent);
      return outcome;
    };
    return {
      read: (key, options) => observe(options, (own) => store.read(key, own)),
      create: (key, change, decoration, options) =>
        observe(options, (own) => store.create(key, change, decoration, own)),
      write: (base, change, decoration, options) =>
        observe(options, (own) => store.write(base, change, decoration, own)),
      delete: (base, options) => observe(options, (own) => store.delete(base, own)),
      // No attempt depends on one: that it fails says nothing of an outage.
      announce: (base, id, announcement, options) =>
        store.announce(base, id, announcement, options),
    };
  }

  #asked(entry: Entry): void {
    if (entry.since !== null || entry.attempts === 0) return;
    entry.since = this.#clock.monotonic();
    this.#waiting.add(entry);
    this.#count(entry, entry.since);
    this.#arm();
  }

  #sent(entry: Entry): void {
    if (entry.wasSent) return;
    entry.wasSent = true;
    // Until now it waited in our own queue, behind others that were answered.
    if (entry.answersBefore !== this.#answers) this.#count(entry, this.#clock.monotonic());
  }

  #ended(entry: Entry, outcome: Outcome, wasSent: boolean): void {
    const failure = failureIn(outcome);
    if (failure === undefined) this.#answered(entry);
    // That our own queue gave a request up explains less than what became of one that left.
    else if (wasSent || entry.failure === null) entry.failure = failure;
  }

  #answered(entry: Entry): void {
    const now = this.#clock.monotonic();
    this.#answers++;
    const { isTold, since, lease, server } = entry;
    this.#clear(entry);
    if (isTold && since !== null) this.#tellEnd(`lock ${lease}: `, server, now - since);
    if (this.#told === null) return;
    const lastedMs = now - this.#told;
    this.#told = null;
    // Those that get no answer from now on are in trouble of their own.
    for (const other of this.#waiting) this.#count(other, now);
    this.#arm();
    this.#tellEnd('', server, lastedMs);
  }

  #clear(entry: Entry): void {
    if (entry.isOverdue) this.#publish(entry, false);
    entry.since = null;
    entry.failure = null;
    entry.wasSent = entry.isOverdue = entry.isTold = false;
    this.#waiting.delete(entry);
    if (this.#waiting.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #count(entry: Entry, from: number): void {
    entry.countsFrom = from;
    entry.answersBefore = this.#answers;
  }

  /** One timer for all: for the lease that has waited longest. */
  #arm(): void {
    if (this.#cancelTimer !== null) return;
    const due = [...this.#waiting].filter((entry) => this.#isPending(entry));
    if (due.length === 0) return;
    const earliest = Math.min(...due.map(({ countsFrom }) => countsFrom));
    const ms = earliest + LIMIT_MS - this.#clock.monotonic();
    this.#cancelTimer = this.#clock.after(ms, () => {
      // Once around the event loop: after it was blocked, answers may lie there that nobody has read yet.
      this.#cancelTimer = this.#clock.after(0, () => {
        this.#cancelTimer = null;
        this.#look();
        this.#arm();
      });
    });
  }

  #isPending({ isOverdue, isTold }: Entry): boolean {
    return !isTold && (this.#told === null || !isOverdue);
  }

  #look(): void {
    const now = this.#clock.monotonic();
    for (const entry of this.#waiting) {
      if (this.#isPending(entry) && now - entry.countsFrom >= LIMIT_MS) this.#overdue(entry, now);
    }
  }

  #overdue(entry: Entry, now: number): void {
    const isOfServer = entry.answersBefore === this.#answers;
    // It still waits in our own queue, behind others that are answered.
    if (!isOfServer && !entry.wasSent) return this.#count(entry, now);
    if (!entry.isOverdue) {
      entry.isOverdue = true;
      this.#publish(entry, true);
    }
    if (!isOfServer) {
      entry.isTold = true;
      this.#tellBegin(`lock ${entry.lease}: `, entry, ' for this Lease, while others are answered');
    } else if (this.#told === null) {
      this.#told = entry.since;
      this.#tellBegin('', entry, '');
    }
  }

  #tellBegin(subject: string, entry: Entry, scope: string): void {
    const failure = failureOf(entry);
    const message =
      `${subject}no usable answer from the API server ${entry.server} for ${LIMIT_MS / 1_000} s${scope}; ` +
      `still trying; last failure: ${failure.message}`;
    this.#warn(new SyncWarning('API_UNREACHABLE', message, failure));
  }

  #tellEnd(subject: string, server: string, lastedMs: number): void {
    const lasted = `after ${Math.round(lastedMs / 1_000)} s without a usable answer`;
    const message = `${subject}the API server ${server} answers again, ${lasted}`;
    this.#warn(new SyncWarning('API_REACHABLE', message));
  }

  #publish({ lease, server }: Entry, isUnreachable: boolean): void {
    publishOutage({ lease, server, isUnreachable, at: this.#clock.monotonic() });
  }
}

function failureOf({ failure, server }: Entry): SyncError {
  return failure ?? new ApiUnreachableError('no answer yet', server);
}

/** Why an outcome is no usable answer; `undefined` for one that is, a refusal included. */
function failureIn(outcome: Outcome): SyncError | undefined {
  if (outcome.kind === 'unknown') return outcome.error;
  if (outcome.kind !== 'refused') return undefined;
  const { error } = outcome;
  return error.code === 'ERR_API_UNREACHABLE' || error.code === 'ERR_CLOSED' ? error : undefined;
}
