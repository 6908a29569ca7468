import { report, warn } from '../callbacks.js';
import { attemptOf, compete, enter, noticeSelfDeadlock } from '../attempt.js';
import { hostOf, type LeaseClient } from '../client.js';
import { SyncWarning, isSyncError } from '../errors.js';
import type { LeaseHost } from '../lease/host.js';
import type { Keeper } from '../lease/keeper.js';
import type { KeeperHooks } from '../lease/ports.js';
import { keyOf } from '../lease/record.js';
import { scopesAround } from '../lease/scopes.js';
import type { Connection } from '../lease/store.js';
import type { LeaseView } from '../lease/view.js';
import { Wait } from '../lease/wait.js';
import type { ResolvedOptions } from '../options.js';
import { leaderOf, onLeader, type Leader } from './observer.js';
import type { ElectionCallbacks, ResolvedElection } from './options.js';
import { Remarks } from './remarks.js';
import { Term } from './term.js';

/** Pause before campaigning again after a refusal that may pass. */
const REFUSED_PAUSE_MS = 5_000;

/** One call of `run()`: campaign, lead, drain, release, campaign again. */
export class Candidacy {
  readonly #name: string;
  readonly #client: LeaseClient;
  readonly #host: LeaseHost;
  readonly #options: ResolvedOptions;
  readonly #callbacks: ElectionCallbacks;
  readonly #drainTimeoutMs: number;
  readonly #recordsEvents: boolean;
  #view: LeaseView | null = null;
  #remarks: Remarks | null = null;
  #term: Term | null = null;
  #campaigning: Keeper | null = null;
  #cooldown: Promise<void>;
  #work: Promise<void>;
  #hasLed = false;
  readonly #pauses = new Set<() => void>();
  #isOver = false;

  constructor(
    name: string,
    client: LeaseClient,
    { lease, callbacks, drainTimeoutMs, recordEvents }: ResolvedElection,
    work: Promise<void>,
  ) {
    this.#cooldown = work;
    this.#work = work;
    this.#name = name;
    this.#client = client;
    this.#host = hostOf(client);
    this.#options = lease;
    this.#callbacks = callbacks;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#recordsEvents = recordEvents;
  }

  /** The last leading callback: no other may start before it has settled. */
  get work(): Promise<void> {
    return this.#work;
  }

  get term(): Term | null {
    return this.#term;
  }

  get leader(): Leader | null {
    return this.#view === null ? null : (leaderOf(this.#view) ?? null);
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const { closing } = this.#host;
    const signals = signal === undefined ? [closing] : [signal, closing];
    const wait = new Wait(this.#host.clock, signals, Infinity);
    const letGo = this.#options.keepProcessAlive ? this.#host.keepAlive() : null;
    try {
      await this.#takePart(wait);
    } catch (error) {
      if (signal?.aborted !== true || error !== signal.reason) throw error;
    } finally {
      this.#isOver = true;
      for (const cancel of this.#pauses) cancel();
      await this.#remarks?.settled;
      wait.done();
      letGo?.();
    }
  }

  async stepDown(cooldownMs: number): Promise<void> {
    const [term, campaigning] = [this.#term, this.#campaigning];
    const letGo = term?.over ?? campaigning?.ended ?? Promise.resolve();
    this.#stayOut(cooldownMs, letGo);
    campaigning?.stop();
    term?.drain('stepped-down', this.#whenOverdue);
    // Work that is under way is waited for before the lease is let go. It may be what waits here, through a queue or
    // an emitter that nobody can see through: it must not wait for itself.
    if (term?.isWorking !== true) await letGo;
  }

  async #takePart(wait: Wait): Promise<void> {
    const { connection, view } = await enter(this.#client, this.#options, this.#name, wait);
    const { server } = connection;
    this.#view = view;
    if (this.#recordsEvents) {
      const { identity = this.#client.identity } = this.#options;
      this.#remarks = new Remarks(connection.events, view, identity);
    }
    const stopTelling = onLeader(view, this.#newLeaderTeller());
    try {
      for (;;) {
        await this.#rest(wait);
        const stop = noticeSelfDeadlock(this.#host, view, server, this.#options.leaseDurationMs);
        const term = await this.#campaign(wait, view, connection).finally(stop);
        if (term !== null) await this.#lead(term, wait);
      }
    } finally {
      stopTelling();
    }
  }

  /** Asked to stay out for longer meanwhile, it does. */
  async #rest(wait: Wait): Promise<void> {
    let cooldown: Promise<void>;
    do {
      cooldown = this.#cooldown;
      await wait.race(cooldown);
    } while (cooldown !== this.#cooldown);
  }

  async #campaign(wait: Wait, view: LeaseView, connection: Connection): Promise<Term | null> {
    const cooldown = this.#cooldown;
    const pass = await view.turns.take(wait.signal);
    try {
      if (cooldown !== this.#cooldown) return null;
      return await this.#compete(wait, view, connection);
    } catch (error) {
      if (!isSyncError(error) || wait.signal.aborted) throw error;
      // It was allowed once: a token is being rotated, a rule restored.
      const wasAccepted = error.code === 'ERR_UNAUTHORIZED' && view.sight.kind !== 'unknown';
      if (!this.#hasLed && !wasAccepted) throw error;
      this.#host.warn(
        new SyncWarning('ACCESS_LOST', `election ${this.#name}: ${error.message}`, error),
      );
      this.#stayOut(REFUSED_PAUSE_MS);
      return null;
    } finally {
      this.#campaigning = null;
      pass();
    }
  }

  /** `null` when it was called off by `stepDown`. */
  #compete(wait: Wait, view: LeaseView, connection: Connection): Promise<Term | null> {
    const attempt = attemptOf(this.#options, this.#client, 'hold');
    // Taken here: news may come in the asynchronous context of another holder.
    const place = { lease: keyOf(view.key), server: connection.server, around: scopesAround() };
    const start = (hooks: KeeperHooks): Keeper =>
      this.#host.attempt(view, connection, attempt, hooks);
    return new Promise((resolve, reject) => {
      let term: Term | null = null;
      const keeper = compete(wait, start, {
        acquired: () => {
          this.#campaigning = null;
          // In this very tick: a loss must not come before anybody listens for it.
          term = new Term(keeper, this.#callbacks, place);
          this.#term = term;
          resolve(term);
          if (this.#remarks !== null) this.#host.keepOpen(this.#remarks.term(term.ended));
          term.start();
          this.#work = term.settled;
          void term.settled.then(this.#host.overruns.begin(term.running));
        },
        failed: reject,
        busy: () => undefined,
        ended: () => {
          term?.cut();
          if (wait.signal.aborted) reject(wait.signal.reason as Error);
          else resolve(null);
        },
      });
      this.#campaigning = keeper;
    });
  }

  async #lead(term: Term, wait: Wait): Promise<void> {
    this.#hasLed = true;
    const drain = (): void => term.drain('aborted', this.#whenOverdue);
    wait.signal.addEventListener('abort', drain, { once: true });
    if (wait.signal.aborted) drain();
    await term.over;
    this.#term = null;
    wait.signal.removeEventListener('abort', drain);
    // No new term while the work of the old one goes on; but to end we do not wait for it any longer.
    await wait.race(term.settled).catch(() => undefined);
    if (term.error !== null) throw term.error.value;
    wait.signal.throwIfAborted();
  }

  readonly #whenOverdue = (callback: () => void): (() => void) =>
    this.#host.clock.after(this.#drainTimeoutMs, callback);

  /** Beside any longer time to stay out that was asked for before. */
  #stayOut(ms: number, since = Promise.resolve()): void {
    const pause = since.then(() => this.#pause(ms));
    this.#cooldown = Promise.all([this.#cooldown, pause]).then(() => undefined);
  }

  /** Cut short when the run is over: nobody waits for it any more. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isOver) return;
      const cancel = this.#host.clock.after(ms, () => {
        this.#pauses.delete(cancel);
        resolve();
      });
      this.#pauses.add(cancel);
    });
  }

  #newLeaderTeller(): (leader: Leader | null) => void {
    let last: string | null = null;
    return (leader) => {
      const identity = leader?.identity ?? null;
      if (identity === last) return;
      last = identity;
      try {
        report(this.#callbacks.onNewLeader?.(identity));
      } catch (error) {
        warn(error);
      }
    };
  }
}
