/** What was asked of the server: counters and a log for assertions. */
import { checkKeys, checkOneOf } from './check.js';
import type { Verb } from './types.js';

/** A request for Leases, as RBAC and the fault knobs see it. */
export interface RequestInfo {
  readonly verb: Verb;
  /** Empty for a list or watch of all namespaces. */
  readonly namespace: string;
  /** Of a list or watch: the name its field selector allows, if it allows one only. */
  readonly name: string | undefined;
  readonly user: string;
  readonly userAgent: string;
}

/** A request for Leases, and what became of it. */
export interface LoggedRequest extends RequestInfo {
  /** Arrival, ms since the epoch. */
  readonly at: number;
  /** What it came to, also when the reply was then withheld; null while or if it is not handled. */
  readonly status: number | null;
  /** Whether a reply was sent. */
  readonly answered: boolean;
}

/** Every given part must fit; a list means any of them. Left out: everything fits. */
export interface RequestPattern {
  readonly verb?: Verb | readonly Verb[] | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly user?: string | undefined;
}

/** A pattern, or a function that says whether a request is meant. */
export type RequestMatch<R extends RequestInfo = RequestInfo> =
  RequestPattern | ((request: R) => boolean);

export function fits<R extends RequestInfo>(
  match: RequestMatch<R> | undefined,
  request: R,
): boolean {
  if (match === undefined) return true;
  if (typeof match === 'function') return match(request);
  const { verb, namespace, name, user } = match;
  return (
    (verb === undefined || [verb].flat().includes(request.verb)) &&
    (namespace === undefined || namespace === request.namespace) &&
    (name === undefined || name === request.name) &&
    (user === undefined || user === request.user)
  );
}

const verbs: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const logLimit = 10_000;

/** @throws TypeError for a pattern that could never fit for what it misspells */
export function checkMatch(match: RequestMatch | undefined): void {
  if (match === undefined || typeof match === 'function') return;
  checkKeys('match', match, ['verb', 'namespace', 'name', 'user']);
  for (const verb of [match.verb].flat()) checkOneOf('verb', verb, verbs);
}

/**
 * Requests for Leases since the start or the last `reset()`, counted when they arrive: refused, dropped and
 * unanswered ones too. A PUT is an `update`, also when it creates.
 */
export class Requests {
  #counts = new Map<Verb, number>();
  #log: Writable<LoggedRequest>[] = [];

  /** By verb; verbs that were not used have 0. */
  get counts(): Readonly<Record<Verb, number>> {
    const entries = verbs.map((verb) => [verb, this.#counts.get(verb) ?? 0] as const);
    return Object.fromEntries(entries) as Record<Verb, number>;
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The latest 10 000, oldest first. Entries change while their request is under way. */
  get log(): readonly LoggedRequest[] {
    return this.#log;
  }

  /** How many requests in the log fit. */
  count(match: RequestMatch<LoggedRequest>): number {
    return this.#log.filter((request) => fits(match, request)).length;
  }

  reset(): void {
    this.#counts = new Map();
    this.#log = [];
  }

  /** @internal */
  record(request: RequestInfo, at: number): Writable<LoggedRequest> {
    const entry = { ...request, at, status: null, answered: false };
    this.#counts.set(request.verb, (this.#counts.get(request.verb) ?? 0) + 1);
    this.#log.push(entry);
    if (this.#log.length > logLimit) this.#log.shift();
    return entry;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
