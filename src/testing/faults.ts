/** The knobs: what goes wrong, for which requests, and how often. They compose. */
import type { Reply } from './api.js';
import type {
  CommitLateOptions,
  DelayOptions,
  ExpireOptions,
  FaultHandle,
  FaultOptions,
  HangOptions,
  StatusOptions,
  WatchFaultOptions,
} from './knobs.js';
import { checkKeys, checkOneOf } from './check.js';
import { checkMatch, fits } from './requests.js';
import type { RequestInfo, RequestMatch } from './requests.js';
import { Stall } from './stall.js';
import type { StallHandle, StallOptions } from './stall.js';
import { expired, failure } from './status.js';
import type { Store } from './store.js';
import type { Watch, Watches } from './watch.js';

/** What to do with one request. */
export interface Plan {
  readonly requestMs: number;
  readonly responseMs: number;
  readonly skewMs: number;
  readonly effect: Effect | null;
}

export type Effect =
  | { readonly kind: 'hang'; readonly honorTimeout: boolean }
  | { readonly kind: 'drop-before' }
  | { readonly kind: 'forbid' }
  | { readonly kind: 'status'; readonly options: StatusOptions }
  | { readonly kind: 'commit-late'; readonly afterMs: number; readonly silent: boolean }
  | { readonly kind: 'drop-after-commit' };

type Modifier =
  | { readonly kind: 'delay'; readonly requestMs: number; readonly responseMs: number }
  | { readonly kind: 'skew'; readonly ms: number }
  | { readonly kind: 'expire-http' };

/** When several faults meet one request, the first of these decides how it ends. */
const precedence: readonly Effect['kind'][] = [
  'hang',
  'drop-before',
  'forbid',
  'status',
  'commit-late',
  'drop-after-commit',
];
const KEYS = ['match', 'times'];
const STATUS_KEYS = ['code', 'reason', 'message', 'retryAfterSeconds', 'body', 'afterCommit'];
const writes: RequestMatch = { verb: ['create', 'update', 'patch', 'delete'] };

interface Fault {
  readonly what: Effect | Modifier;
  readonly fits: (request: RequestInfo) => boolean;
  left: number;
  hits: number;
}

/**
 * The knobs of one server. Each is in force from the call on, for requests that arrive later, and until its handle's
 * `remove()`, its number of `times`, or `clear()`.
 */
export class Faults {
  readonly #faults = new Set<Fault>();
  readonly #stalls = new Set<Stall>();
  readonly #watches: Watches;
  readonly #store: Store;

  /** @internal */
  constructor(watches: Watches, store: Store) {
    this.#watches = watches;
    this.#store = store;
  }

  /** Slows requests down. Several delays add up. */
  delay(options: DelayOptions): FaultHandle {
    checkKeys('delay', options, [...KEYS, 'requestMs', 'responseMs']);
    const { requestMs = 0, responseMs = 0 } = options;
    return this.#add({ kind: 'delay', requestMs, responseMs }, options);
  }

  /** The connection is destroyed and nothing was done. */
  dropBefore(options: FaultOptions = {}): FaultHandle {
    checkKeys('dropBefore', options, KEYS);
    return this.#add({ kind: 'drop-before' }, options);
  }

  /** The connection is destroyed after the request was carried out. Meets writes unless `match` names verbs. */
  dropAfterCommit(options: FaultOptions = {}): FaultHandle {
    checkKeys('dropAfterCommit', options, KEYS);
    return this.#add({ kind: 'drop-after-commit' }, options, writes);
  }

  /**
   * The client loses the request now, and it is carried out later, against the state of then: usually it loses the
   * compare-and-swap, sometimes it wins. Meets writes unless `match` names verbs.
   */
  commitLate(options: CommitLateOptions): FaultHandle {
    checkKeys('commitLate', options, [...KEYS, 'afterMs', 'connection']);
    const { afterMs, connection = 'destroy' } = options;
    return this.#add(
      { kind: 'commit-late', afterMs, silent: connection === 'silent' },
      options,
      writes,
    );
  }

  /** Answers with this status instead. */
  status(options: StatusOptions): FaultHandle {
    checkKeys('status', options, [...KEYS, ...STATUS_KEYS]);
    return this.#add({ kind: 'status', options }, options);
  }

  /** Answers 403 in the words of RBAC. Forbidding `create` also forbids a PUT that would create. */
  forbid(match: RequestMatch, options: Omit<FaultOptions, 'match'> = {}): FaultHandle {
    checkKeys('forbid', options, ['times']);
    return this.#add({ kind: 'forbid' }, { ...options, match });
  }

  /** Never answers. Requests that hang stay so after `remove()`. */
  hang(options: HangOptions = {}): FaultHandle {
    checkKeys('hang', options, [...KEYS, 'honorTimeout']);
    return this.#add({ kind: 'hang', honorTimeout: options.honorTimeout ?? false }, options);
  }

  /**
   * Moves the server's clock: the `Date` header of replies, and the times it writes into `managedFields` and
   * `creationTimestamp`. With `match`, requests seem to meet API servers whose clocks differ. Skews add up.
   */
  clockSkew(ms: number, options: FaultOptions = {}): FaultHandle {
    checkKeys('clockSkew', options, KEYS);
    return this.#add({ kind: 'skew', ms }, options);
  }

  /** Watches stay open and deliver nothing, neither events nor bookmarks nor their end, until resumed. */
  stallWatch(options: StallOptions = {}): StallHandle {
    checkKeys('stallWatch', options, ['match', 'which']);
    checkOneOf('which', options.which, ['open', 'all']);
    checkMatch(options.match);
    const open = this.#watches.select(undefined);
    const stall: Stall = new Stall(options, open, () => this.#stalls.delete(stall));
    this.#stalls.add(stall);
    return stall;
  }

  /**
   * Forgets the history, as `compact()`, and ends the open watches: with an ERROR event of code 410, or cleanly for
   * `shape: 'http'`; from then on whoever continues from before gets the 410 in that shape. `remove()` goes back to
   * the in-stream shape.
   */
  expireWatches(options: ExpireOptions = {}): FaultHandle {
    checkKeys('expireWatches', options, [...KEYS, 'shape']);
    checkOneOf('shape', options.shape, ['http', 'in-stream']);
    checkMatch(options.match);
    const { shape = 'in-stream', match } = options;
    const last = String(this.#store.version);
    this.#store.compact();
    const ended = this.#watches.select(match);
    for (const watch of ended) {
      if (shape === 'http') watch.end();
      else watch.fail(expired(last, String(this.#store.oldest)));
    }
    return shape === 'http'
      ? this.#add({ kind: 'expire-http' }, options)
      : { hits: ended.length, remove: () => undefined };
  }

  /** Ends the open watches as a time limit would. Returns how many. */
  closeWatches(options: WatchFaultOptions = {}): number {
    checkKeys('closeWatches', options, ['match']);
    checkMatch(options.match);
    const watches = this.#watches.select(options.match);
    for (const watch of watches) watch.end();
    return watches.length;
  }

  /** Resets the connections of the open watches. Returns how many. */
  resetWatches(options: WatchFaultOptions = {}): number {
    checkKeys('resetWatches', options, ['match']);
    checkMatch(options.match);
    const watches = this.#watches.select(options.match);
    for (const watch of watches) watch.reset();
    return watches.length;
  }

  /** Removes every fault; what stalled watches owe is delivered. */
  clear(): void {
    this.#faults.clear();
    for (const stall of [...this.#stalls]) stall.resume();
  }

  /** @internal */
  plan(request: RequestInfo): Plan {
    const met = [...this.#faults].filter(
      (fault) => fault.what.kind !== 'expire-http' && this.#meet(fault, request),
    );
    const effects = met.map(({ what }) => what).filter(isEffect);
    effects.sort((a, b) => precedence.indexOf(a.kind) - precedence.indexOf(b.kind));
    const plan = { requestMs: 0, responseMs: 0, skewMs: 0 };
    for (const { what } of met) {
      if (what.kind === 'skew') plan.skewMs += what.ms;
      if (what.kind !== 'delay') continue;
      plan.requestMs += what.requestMs;
      plan.responseMs += what.responseMs;
    }
    return { ...plan, effect: effects[0] ?? null };
  }

  /** @internal */
  isForbidden(request: RequestInfo): boolean {
    return this.#anyMeets('forbid', request);
  }

  /** Whether a 410 to this watch comes as the status of the answer. @internal */
  refusesByHttp(request: RequestInfo): boolean {
    return this.#anyMeets('expire-http', request);
  }

  /** @internal */
  admitWatch(watch: Watch): void {
    for (const stall of this.#stalls) stall.meet(watch);
  }

  #anyMeets(kind: 'forbid' | 'expire-http', request: RequestInfo): boolean {
    return [...this.#faults].some(
      (fault) => fault.what.kind === kind && this.#meet(fault, request),
    );
  }

  #meet(fault: Fault, request: RequestInfo): boolean {
    if (fault.left <= 0 || !fault.fits(request)) return false;
    fault.hits += 1;
    fault.left -= 1;
    if (fault.left <= 0) this.#faults.delete(fault);
    return true;
  }

  #add(what: Effect | Modifier, options: FaultOptions, byDefault?: RequestMatch): FaultHandle {
    const { match, times = Infinity } = options;
    checkMatch(match);
    const namesVerbs = typeof match === 'function' || match?.verb !== undefined;
    const fault: Fault = {
      what,
      fits: (request) => fits(match, request) && (namesVerbs || fits(byDefault, request)),
      left: times,
      hits: 0,
    };
    this.#faults.add(fault);
    return {
      get hits() {
        return fault.hits;
      },
      remove: () => void this.#faults.delete(fault),
    };
  }
}

/** The answer that a `status` knob orders. */
export function orderedStatus(options: StatusOptions): Reply {
  const { code, reason, message = `ordered by a test: ${code}`, retryAfterSeconds, body } = options;
  const details = retryAfterSeconds === undefined ? undefined : { retryAfterSeconds };
  if (body === undefined) return { code, body: failure(code, reason, message, details) };
  return { code, body, retryAfterSeconds, contentType: 'text/html; charset=utf-8' };
}

function isEffect(what: Effect | Modifier): what is Effect {
  return what.kind !== 'delay' && what.kind !== 'skew' && what.kind !== 'expire-http';
}
