/**
 * Which requests failed when they were made last, and which are likely to fail as well.
 *
 * Pure: every time is handed in, on one monotonic clock.
 */

/** What a request is about. */
export interface Target {
  readonly method: string;
  readonly path: string;
}

/** A status that says nothing of the request itself, and may pass. */
export function isTrouble(status: number): boolean {
  return status === 429 || status >= 500;
}

interface Failure {
  /** In a row. */
  count: number;
  at: number;
  /** The server asked for a pause until then. */
  pausedUntil: number;
}

/** What failed less often than this in a row may just have met an outage: it is tried again before the others. */
const OFTEN = 3;

/** More milliseconds than any process runs. */
const MORE_THAN_ANY_TIME = 2 ** 45;

/** So many different requests without an answer make those beside them suspect. */
const MANY_SILENT = 2;

/** This many are remembered. One that is forgotten is taken for a request that has not failed. */
const MOST_REMEMBERED = 10_000;

export class Failures {
  /** In the order of the last failure. */
  readonly #failures = new Map<string, Failure>();
  /** By namespace: what got no answer since the last good one. A webhook that hangs does so for all of them. */
  readonly #silent = new Map<string, Set<string>>();

  /**
   * Whether the last request of this kind failed, or two beside it got no answer. A read counts as failed also when
   * writes of its lease do.
   */
  has(target: Target): boolean {
    if (this.#failures.size === 0) return false;
    return this.#of(target) !== undefined || this.isSuspect(target);
  }

  /** Two of this kind and namespace got no answer, and none since has got one. */
  isSuspect(target: Target): boolean {
    return (this.#silent.get(groupOf(target))?.size ?? 0) >= MANY_SILENT;
  }

  /** Those with the lowest rank are tried first: what failed less often, then what failed longer ago. */
  rank(target: Target, deadline: number): number {
    const failure = this.#of(target);
    if (failure === undefined) return deadline;
    return Math.min(failure.count, OFTEN) * MORE_THAN_ANY_TIME + failure.at;
  }

  /** When the pause ends that the server asked for. */
  pausedUntil(target: Target): number {
    return this.#of(target)?.pausedUntil ?? -Infinity;
  }

  /** @param pauseMs how long the server asked to be left alone */
  failed(target: Target, now: number, pauseMs = 0): void {
    const key = keyOf(target);
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.delete(key);
    this.#failures.set(key, { count, at: now, pausedUntil: now + pauseMs });
    if (this.#failures.size <= MOST_REMEMBERED) return;
    const [oldest = ''] = this.#failures.keys();
    this.#failures.delete(oldest);
  }

  /** No answer came. */
  unanswered(target: Target, now: number): void {
    this.failed(target, now);
    const group = groupOf(target);
    const silent = this.#silent.get(group) ?? new Set();
    if (silent.size < MANY_SILENT) silent.add(keyOf(target));
    this.#silent.set(group, silent);
  }

  /** @returns whether it had failed before: the trouble of others may be over as well, and no pause is kept then */
  succeeded(target: Target): boolean {
    this.#silent.delete(groupOf(target));
    if (!this.#failures.delete(keyOf(target))) return false;
    for (const failure of this.#failures.values()) failure.pausedUntil = -Infinity;
    return true;
  }

  #of({ method, path }: Target): Failure | undefined {
    const own = this.#failures.get(keyOf({ method, path }));
    if (own !== undefined || method !== 'GET') return own;
    return this.#failures.get(keyOf({ method: 'PUT', path }));
  }
}

function keyOf({ method, path }: Target): string {
  return `${method} ${path}`;
}

/** The method and the namespace. */
function groupOf({ method, path }: Target): string {
  return keyOf({ method, path: method === 'POST' ? path : path.slice(0, path.lastIndexOf('/')) });
}
