import { attemptOf, enter } from '../attempt.js';
import { hostOf, type LeaseClient } from '../client.js';
import type { SyncError } from '../errors.js';
import { isVacant } from '../lease/record.js';
import type { LeaseView } from '../lease/view.js';
import { Wait } from '../lease/wait.js';
import type { ResolvedOptions } from '../options.js';

/** Who leads. */
export interface Leader {
  readonly identity: string;
  /** `null` when the term is that of another library. */
  readonly fencingToken: bigint | null;
  /** When the term began, by the leader's own wall clock; `null` when the record does not say. */
  readonly since: Date | null;
}

/** Who leads by what is known: `undefined` while nothing is. An overdue record still names its leader. */
export function leaderOf({ sight }: LeaseView): Leader | null | undefined {
  if (sight.kind === 'unknown' || sight.kind === 'unordered') return undefined;
  if (sight.kind === 'absent' || isVacant(sight.lease.record)) return null;
  const { record, mark } = sight.lease;
  const since = record.acquireTime === null ? null : new Date(record.acquireTime);
  return { identity: record.holder, fencingToken: mark?.token ?? null, since };
}

/** Whether it is still the same term. */
export function isSameTerm(a: Leader | null | undefined, b: Leader | null | undefined): boolean {
  if (a == null || b == null) return a === b;
  return (
    a.identity === b.identity &&
    a.fencingToken === b.fencingToken &&
    a.since?.getTime() === b.since?.getTime()
  );
}

/** Calls back on each change of leader, until called off. */
export function onLeader(view: LeaseView, tell: (leader: Leader | null) => void): () => void {
  let last: Leader | null | undefined;
  const look = (): void => {
    const leader = leaderOf(view);
    if (leader === undefined || isSameTerm(leader, last)) return;
    last = leader;
    tell(leader);
  };
  const leave = view.join({ nonce: null, news: look, watch: () => undefined });
  look();
  return leave;
}

/** An observer's part in the client, which must not lead back to its iterator. */
class Observation {
  readonly #left = new AbortController();
  readonly #undo: (() => void)[] = [];

  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** @param undo to be done when the observer has gone */
  with(undo: () => void): void {
    this.#undo.push(undo);
  }

  leave(): void {
    this.#left.abort();
  }

  end(): void {
    this.leave();
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** Nothing asks an iterator that was garbage-collected for more: it ends as it would by `return()`. */
const abandoned = new FinalizationRegistry<Observation>((observation) => observation.end());

/** Looks on without taking part: the current state first, then the newest whenever it changed. */
export function observe(
  client: LeaseClient,
  options: ResolvedOptions,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Leader | null, void, undefined> {
  const observation = new Observation();
  const generator = look(client, options, name, observation, signal);
  abandoned.register(generator, observation);
  const leave = generator.return.bind(generator);
  return Object.assign(generator, {
    // A generator that waits would hear of it only after the next change.
    return: (value: undefined) => {
      observation.leave();
      return leave(value);
    },
  });
}

/** Ends quietly when one of the signals aborts. */
async function* look(
  client: LeaseClient,
  options: ResolvedOptions,
  name: string,
  observation: Observation,
  signal: AbortSignal | undefined,
): AsyncGenerator<Leader | null, void, undefined> {
  const quiet = signal === undefined ? [observation.left] : [observation.left, signal];
  const host = hostOf(client);
  const wait = new Wait(host.clock, [...quiet, host.closing], Infinity);
  observation.with(() => wait.done());
  try {
    const { connection, view } = await enter(client, options, name, wait);
    const changes = new Newest<Leader | null>();
    const none = (): void => undefined;
    const keeper = host.attempt(view, connection, attemptOf(options, client, 'observe'), {
      ...{ acquired: none, busy: none, ended: none },
      failed: (error: SyncError) => changes.fail(error),
    });
    observation.with(() => keeper.stop());
    observation.with(onLeader(view, (leader) => changes.put(leader)));
    for (;;) {
      // Only while somebody waits for the next: one who looked once must not keep the process alive.
      const letGo = options.keepProcessAlive ? host.keepAlive() : null;
      const leader = await wait.race(changes.take()).finally(() => letGo?.());
      yield leader;
    }
  } catch (error) {
    if (!quiet.some(({ aborted, reason }) => aborted && reason === error)) throw error;
  } finally {
    observation.end();
  }
}

/** A place for one value: a newer one takes the place of one that nobody fetched yet. */
class Newest<T> {
  #value: { readonly value: T } | null = null;
  #error: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  put(value: T): void {
    this.#value = { value };
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = { error };
    this.#wake?.();
  }

  async take(): Promise<T> {
    while (this.#value === null) {
      if (this.#error !== null) throw this.#error.error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const { value } = this.#value;
    this.#value = null;
    return value;
  }
}
