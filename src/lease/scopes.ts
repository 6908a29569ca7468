import { AsyncLocalStorage } from 'node:async_hooks';

/** Code that runs because a lease is held: a function under `withLock`, or a leading callback. */
export interface Scope {
  /** `namespace/name` of the lease. */
  readonly lease: string;
  /** URL of the API server, since two clusters may have leases of one name. */
  readonly server: string;
  /** What holds the lease, for messages. */
  readonly what: string;
  isHeld(): boolean;
}

/** A scope, and those around it. */
export interface Scopes {
  readonly scope: Scope;
  readonly outer: Scopes | undefined;
}

const current = new AsyncLocalStorage<Scopes>();

/** Those that the code that calls runs in, the innermost first, whatever it awaited or which timers it set meanwhile. */
export function scopesAround(): Scopes | undefined {
  return current.getStore();
}

/** Runs `fn` within the scope. @param around the scopes around it */
export function runInScope<T>(scope: Scope, around: Scopes | undefined, fn: () => T): T {
  return current.run({ scope, outer: stillHeld(around) }, fn);
}

/** The scope around the calling code that holds this lease, if there is one. */
export function holderAround(lease: string, server: string): Scope | undefined {
  for (let scopes = current.getStore(); scopes !== undefined; scopes = scopes.outer) {
    const { scope } = scopes;
    if (scope.lease === lease && scope.server === server && scope.isHeld()) return scope;
  }
  return undefined;
}

/** Work that starts its successor would otherwise remember all of its predecessors. */
function stillHeld(scopes: Scopes | undefined): Scopes | undefined {
  let held = scopes;
  while (held !== undefined && !held.scope.isHeld()) held = held.outer;
  return held;
}
