import { LockLostError, type LossReason, type SyncError } from '../errors.js';
import { Alarm } from './alarm.js';
import type { Instant } from './clock.js';
import { Journal } from './journal.js';
import { advance } from './protocol/advance.js';
import { isHeld } from './protocol/holding.js';
import { seek } from './protocol/seeking.js';
import type { Event, Over, Request, State, Step, Terms, Verdict, Write } from './protocol/state.js';
import { beliefMs, nextStep, requestBudget } from './protocol/step.js';
import { verdictOf } from './protocol/writes.js';
import { keyOf } from './record.js';
import { RenewalUnderWay } from './renewal.js';
import type { Decoration, Outcome, RequestOptions } from './store.js';
import type { KeeperHooks, KeeperPorts } from './ports.js';

const undecorated: Decoration = { labels: {}, annotations: {}, ownerReferences: [] };

/**
 * Performs what the protocol decides for one attempt at one lease, and owns its timer. It carries out
 * steps, brings back events and flips the signals in the same tick; it never compares times itself.
 */
export class Keeper {
  readonly #ports: KeeperPorts;
  readonly #terms: Terms;
  readonly #hooks: KeeperHooks;
  readonly #loss = new AbortController();
  readonly #alarm: Alarm;
  readonly #journal: Journal;
  readonly #leave: () => void;
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #state: State;
  /** True until the constructor is done with: nothing is performed before. */
  #isPumping = true;
  #cancelTimer: (() => void) | null = null;
  #lastFailure: SyncError | undefined;
  #token: bigint | null = null;
  #sentAt = 0;
  readonly #renewal = new RenewalUnderWay();
  #hasHeard = false;

  constructor(ports: KeeperPorts, terms: Terms, hooks: KeeperHooks) {
    this.#ports = ports;
    this.#terms = terms;
    this.#hooks = hooks;
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    const { view, clock } = ports;
    this.#journal = new Journal(view.key, terms);
    this.#alarm = new Alarm(view, terms, (warning) => ports.warn(warning));
    const now = clock.now();
    this.#state = seek(view.sight, now, view.paceOf(terms.identity));
    this.#journal.begins(this.#state, now, terms);
    this.#leave = view.join({
      nonce: terms.nonce,
      news: () => this.#news(),
      watch: (live, gap) => this.#dispatch({ type: 'watch', live, gap }),
    });
    queueMicrotask(() => {
      this.#isPumping = false;
      this.#pump(clock.now());
    });
  }

  /** Aborted, with a LockLostError, once the lease may no longer be ours; not by our own release. */
  get signal(): AbortSignal {
    return this.#loss.signal;
  }

  /** The token of the term, `null` before it. */
  get token(): bigint | null {
    return this.#token;
  }

  /** The last failed request, for whoever has to explain a time-out. */
  get lastFailure(): SyncError | undefined {
    return this.#lastFailure;
  }

  /** Resolves once nothing is done for this attempt any more. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  get end(): Over['end'] | null {
    return this.#state.kind === 'over' ? this.#state.end : null;
  }

  /** Asks the clock. When belief has ended, the signal is aborted before this returns. */
  isHeld(): boolean {
    if (this.#state.kind !== 'holding') return false;
    if (isHeld(this.#state, this.#ports.clock.now())) return true;
    this.#dispatch({ type: 'tick' });
    return false;
  }

  /** How long {@link isHeld} stays true without another renewal. */
  remainingMs(): number {
    return this.isHeld() ? beliefMs(this.#state, this.#ports.clock.now()) : 0;
  }

  /** Releases what is held, or calls the acquisition off; from here on it is not held. */
  stop(): void {
    const { kind } = this.#state;
    if (kind === 'seeking' || kind === 'holding') this.#dispatch({ type: 'stop' });
  }

  /** As {@link stop}, but not by the one who holds it: he is told in the same tick, before a request leaves. */
  revoke(): void {
    const token = this.#state.kind === 'holding' ? this.#state.token : null;
    this.stop();
    if (token !== null) this.#lose('released', token);
  }

  /** Stops believing at once and writes nothing: the lease runs out by itself. */
  abandon(): void {
    if (this.#state.kind === 'holding') this.#dispatch({ type: 'abandon' });
  }

  #news(): void {
    const { view } = this.#ports;
    this.#hasHeard = true;
    this.#dispatch({ type: 'news', sight: view.sight, pace: view.paceOf(this.#terms.identity) });
  }

  #dispatch(event: Event): void {
    const [before, now] = [this.#state, this.#ports.clock.now()];
    this.#absorb(event, now);
    // Whoever was told of a change may have taken his time.
    this.#pump(this.#state.kind === before.kind ? now : this.#ports.clock.now());
  }

  /** State and signals flip here, in one tick with the event. */
  #absorb(event: Event, now: Instant): void {
    const before = this.#state;
    if (before.kind === 'over') return;
    const after = advance(before, event, now, this.#terms);
    this.#state = after;
    this.#journal.event(event, before, after, now);
    if (before.kind === 'seeking' && after.kind === 'holding') {
      this.#token = after.token;
      this.#hooks.acquired();
    }
    if (after.kind === 'over') this.#finish(after);
    else this.#alarm.look(before, after, now, this.#lastFailure);
  }

  #finish({ end }: Over): void {
    this.#cancelTimer?.();
    this.#leave();
    if (end.how === 'lost') this.#lose(end.reason, end.token);
    this.#hooks.ended();
    this.#end();
  }

  #lose(reason: LossReason, token: bigint): void {
    const name = keyOf(this.#ports.view.key);
    this.#loss.abort(new LockLostError(name, reason, token, this.#lastFailure));
  }

  /** Performs steps until one says to wait. Not re-entered by what a step or a hook sets off. */
  #pump(begun: Instant): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let now = begun; ; now = this.#ports.clock.now()) {
        const wanted = nextStep(this.#state, now, this.#terms);
        const step = this.#renewal.orWait(wanted, beliefMs(this.#state, now));
        if (step.do === 'end') return;
        if (step.do === 'wait') return this.#sleep(step.ms);
        this.#perform(step, now);
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #sleep(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (ms === Infinity) return;
    this.#cancelTimer = this.#ports.clock.after(ms, () => this.#dispatch({ type: 'tick' }));
  }

  #perform(step: Exclude<Step, { do: 'wait' | 'end' }>, now: Instant): void {
    this.#journal.step(step, this.#state, now);
    switch (step.do) {
      case 'fail':
        this.#hooks.failed(step.error);
        return this.stop();
      case 'yield':
        this.#hooks.busy(step.lease);
        return this.stop();
      default:
        this.#absorb({ type: 'begun', step }, now);
        void this.#request(step, now);
    }
  }

  async #request(
    step: Exclude<Step, { do: 'wait' | 'end' | 'fail' | 'yield' }>,
    now: Instant,
  ): Promise<void> {
    const { store, view, decoration } = this.#ports;
    const options = this.#requestOptions(now);
    switch (step.do) {
      case 'read':
        if (step.why === 'silence') view.suspect();
        return this.#ask('read', options, (timed) => store.read(view.key, timed));
      case 'announce': {
        const { base, announcement } = step;
        return this.#ask('announce', options, (timed) =>
          store.announce(base, this.#terms.announcementId, announcement, timed),
        );
      }
      case 'create': {
        const { change } = step;
        return this.#ask('create', options, (timed) =>
          store.create(view.key, change, decoration, timed),
        );
      }
      case 'delete':
        return this.#ask('delete', options, (timed) => store.delete(step.base, timed));
      case 'write': {
        const { stamp, intent } = step.write;
        const asked = view.sight.serial;
        const timed = this.#timed(step.write, options);
        // A claim onto what was known from before may just come late: losing it is no race.
        const isRace = intent === 'claim' && this.#hasHeard;
        // A bump or an announcement goes onto another's record, which is not this attempt's to decorate.
        const isNote = intent === 'bump' || intent === 'announce';
        const added = isNote ? undecorated : decoration;
        const outcome = await store.write(step.base, step.change, added, timed);
        this.#renewal.over(stamp);
        const told = this.#learn('write', outcome, asked);
        if (told.kind === 'conflict' && isRace) view.lostClaim(step.base);
        this.#measure(outcome, this.#sentAt);
        const isWritten = outcome.kind === 'written';
        const verdict = isWritten ? verdictOf(step.write, outcome.lease, this.#terms) : told;
        this.#dispatch({ type: 'settled', stamp, verdict });
        return;
      }
    }
  }

  /** An overdue answer is not waited for any longer; what it tells is learnt all the same. */
  async #ask(
    request: Exclude<Request, 'write'>,
    options: RequestOptions,
    send: (options: RequestOptions) => Promise<Outcome>,
  ): Promise<void> {
    const asked = this.#ports.view.sight.serial;
    let [isWaiting, sentAt] = [true, 0];
    const answer = (verdict: Verdict): void => {
      if (isWaiting) this.#dispatch({ type: 'answered', request, verdict });
      isWaiting = false;
    };
    const onSent = (): void => void (sentAt = this.#ports.clock.monotonic());
    const onSilent = (): void => answer({ kind: 'unknown' });
    const outcome = await send({ ...options, onSent, onSilent });
    this.#measure(outcome, sentAt);
    answer(this.#learn(request, outcome, asked));
  }

  /** What was not sent, or not answered, tells nothing of the way to the API server. */
  #measure(outcome: Outcome, sentAt: number): void {
    if (outcome.kind === 'refused' || outcome.kind === 'unknown') return;
    this.#ports.view.measured(this.#ports.clock.monotonic() - sentAt);
  }

  #requestOptions(now: Instant): RequestOptions {
    const { withinMs, ...budget } = requestBudget(this.#state, now);
    return { deadline: now.monotonic + withinMs, ...budget };
  }

  #timed(write: Write, options: RequestOptions): RequestOptions {
    const { clock } = this.#ports;
    return {
      ...options,
      ...this.#renewal.begin(write),
      onSent: () => {
        this.#sentAt = clock.monotonic();
        this.#dispatch({ type: 'sent', stamp: write.stamp });
      },
      onSilent: () => {
        this.#renewal.over(write.stamp);
        this.#dispatch({ type: 'silent', stamp: write.stamp });
      },
    };
  }

  /** Passes on what an outcome tells of the lease, and says how the request itself ended. */
  #learn(request: Request, outcome: Outcome, asked: number | null): Verdict {
    const { view } = this.#ports;
    switch (outcome.kind) {
      case 'found':
        view.learn({ kind: 'present', lease: outcome.lease, asked });
        return { kind: 'ok' };
      case 'created':
      case 'written':
        // An answer to a write is ordered by its version alone, like an event.
        view.learn({ kind: 'present', lease: outcome.lease, asked: null });
        return { kind: 'ok' };
      case 'missing':
      case 'deleted':
        view.learn({ kind: 'absent', version: null, asked });
        return { kind: 'ok' };
      case 'exists':
      case 'conflict':
        return { kind: 'conflict' };
      case 'refused':
        this.#lastFailure = outcome.error;
        if (!outcome.transient) this.#alarm.refused(this.#state, request, outcome.error);
        return outcome;
      case 'unknown':
        this.#lastFailure = outcome.error;
        return { kind: 'unknown' };
    }
  }
}
