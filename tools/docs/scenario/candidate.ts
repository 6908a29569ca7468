/**
 * A process that wants the lease. The protocol decides what it does; the code here only carries the decisions out, as
 * the keeper of the library does, and says on the trace what happened.
 */
import type { Instant } from '../../../src/lease/clock.js';
import { isHeld } from '../../../src/lease/protocol/holding.js';
import {
  lostClaim,
  measured,
  noContention,
  paceOf,
  sawChange,
  type Contention,
  type Pace,
} from '../../../src/lease/protocol/contention.js';
import { nothingSeen, type News, type Sight } from '../../../src/lease/protocol/sight.js';
import type { Event, State, Step, Terms, Write } from '../../../src/lease/protocol/state.js';
import { beliefMs, claimableAt, requestBudget } from '../../../src/lease/protocol/step.js';
import { isVacant, type Lease } from '../../../src/lease/record.js';
import { at } from '../../harness/protocol/fixtures.js';
import type { Protocol } from './protocol.js';
import { NOUNS, seconds, versionOf } from './words.js';

/** A step that is a request. */
export type RequestStep = Extract<
  Step,
  { do: 'read' | 'create' | 'write' | 'delete' | 'announce' }
>;

/** How a request ended, as far as its sender can tell. */
export type Result =
  { readonly kind: 'ok'; readonly lease: Lease | null } | { readonly kind: 'conflict' | 'unknown' };

/** What a candidate needs of its surroundings. */
export interface Surroundings {
  readonly protocol: Protocol;
  /** Milliseconds since the scenario began. */
  readonly now: number;
  say(actor: string, what: string): void;
  send(request: RequestInFlight): void;
  /** Calls back after `ms`; what is asked for later replaces it. */
  wakeUp(candidate: Candidate, ms: number): void;
}

export interface RequestInFlight {
  readonly by: Candidate;
  readonly step: RequestStep;
  /** How long the sender waits for the answer. */
  readonly limitMs: number;
  silent(): void;
  settle(result: Result): void;
}

type WriteInFlight = Omit<RequestInFlight, 'silent' | 'settle' | 'step'> & {
  readonly step: Extract<RequestStep, { do: 'write' }>;
};

const DEEDS = {
  claim: 'claims',
  renew: 'renews',
  vacate: 'releases',
  bump: 'bumps the version',
  announce: 'announces itself',
} as const;

export class Candidate {
  readonly #world: Surroundings;
  readonly #terms: Omit<Terms, 'nonce' | 'aim'>;
  readonly #chance: number;
  #state: State | null = null;
  #attempt: Terms | null = null;
  #attempts = 0;
  #sight: Sight = nothingSeen;
  #contention: Contention = noContention;
  #hasHeard = false;
  /** The renewal that is neither answered nor silent: the library sends no second one beside it. */
  #renewal: number | null = null;
  #suspendedMs = 0;
  #suspendedAt: number | null = null;
  isCrashed = false;
  isWatching = true;
  /** What would have reached it while it was suspended. */
  readonly missed: (() => void)[] = [];

  /** @param chance from 0 to 1: what it draws wherever the protocol leaves something to chance */
  constructor(world: Surroundings, terms: Omit<Terms, 'nonce' | 'aim'>, chance: number) {
    this.#world = world;
    this.#terms = terms;
    this.#chance = chance;
  }

  get name(): string {
    return this.#terms.identity;
  }

  get announcementId(): string {
    return this.#terms.announcementId;
  }

  get isSuspended(): boolean {
    return this.#suspendedAt !== null;
  }

  /** Wants or has the lease, and hears of it. */
  get isTakingPart(): boolean {
    return this.#state !== null && !this.isCrashed;
  }

  /** Whether the process may act as the holder: what `isHeld()` of the library returns. */
  get believes(): boolean {
    return !this.isCrashed && this.#state !== null && isHeld(this.#state, this.#instant);
  }

  get token(): bigint | null {
    return this.#state?.kind === 'holding' ? this.#state.token : null;
  }

  /** One row for the table of who believes what. */
  describe(): string {
    const state = this.#state;
    if (this.isCrashed) return 'crashed';
    if (state === null) return 'not started';
    const asleep = this.isSuspended ? 'suspended; ' : '';
    switch (state.kind) {
      case 'seeking':
        if (state.writes.some(({ awaited }) => awaited))
          return `${asleep}waits: its claim is under way`;
        return `${asleep}waits${this.#describeWait(state.pace.holdOffMs)}`;
      case 'holding':
        if (!this.believes) return `${asleep}does not hold any more`;
        return `${asleep}HOLDS with token ${state.token}, until ${seconds(state.heldUntil)}`;
      case 'vacating':
        return `${asleep}does not hold; clears up`;
      case 'over': {
        const { end } = state;
        return end.how === 'lost' ? `ended: lost (${end.reason})` : `ended: ${end.how}`;
      }
    }
  }

  acquire(): void {
    this.#attempts += 1;
    this.#hasHeard = false;
    this.#attempt = { ...this.#terms, nonce: `${this.name}${this.#attempts}`, aim: 'hold' };
    this.#state = this.#world.protocol.seek(this.#sight, this.#instant, this.#pace());
    this.#dispatch({ type: 'watch', live: true, gap: false });
  }

  stop(): void {
    const isHolder = this.#state?.kind === 'holding';
    this.#say(isHolder ? 'release() is called: does not hold from here on' : 'gives up waiting');
    this.#dispatch({ type: 'stop' });
  }

  suspend(): void {
    this.#suspendedAt = this.#world.now;
    this.#say('is suspended with its whole machine');
  }

  resume(): void {
    this.#suspendedMs += this.#world.now - (this.#suspendedAt ?? this.#world.now);
    this.#suspendedAt = null;
    this.#say('runs again');
    // As its work asks before it writes anything.
    this.#say(`isHeld() is ${this.believes}`);
    this.#dispatch({ type: 'tick' });
  }

  tick(): void {
    this.#dispatch({ type: 'tick' });
  }

  /** News that the watch brings. */
  hear(lease: Lease | null, version: bigint): void {
    const before = this.#sight;
    const serial = before.serial;
    const until = this.#heldUntil;
    const news = lease === null ? { kind: 'absent' as const, version } : presentOf(lease);
    this.#learn({ ...news, asked: null }, (sight) => {
      if (sight.serial === serial || this.#state?.kind === 'over') return;
      const what = lease === null ? 'no Lease' : versionOf(lease);
      this.#say(`sees in its watch: ${what}`);
    });
    this.#sayHeld(until);
  }

  get #instant(): Instant {
    const { now } = this.#world;
    const asleepMs = this.#suspendedAt === null ? 0 : now - this.#suspendedAt;
    return at(now - this.#suspendedMs - asleepMs, { elapsed: now });
  }

  get #heldUntil(): number {
    return this.#state?.kind === 'holding' ? this.#state.heldUntil : 0;
  }

  #say(what: string): void {
    this.#world.say(this.name, what);
  }

  #sayHeld(before: number): void {
    const state = this.#state;
    if (state?.kind !== 'holding' || state.heldUntil <= before) return;
    const until = seconds(state.heldUntil);
    this.#say(
      before === 0 ? `HOLDS with token ${state.token}, until ${until}` : `holds until ${until}`,
    );
  }

  /** It landed, and nothing comes of it. */
  #sayLate({ intent }: Write, { version }: Lease): void {
    if (this.#state?.kind === 'over') return;
    this.#say(`learns that its ${NOUNS[intent]} became version ${version}`);
  }

  #describeWait(holdOffMs: number): string {
    const [sight, terms] = [this.#sight, this.#attempt];
    if (sight.kind !== 'present' || terms === null) return '';
    if (isVacant(sight.lease.record) && holdOffMs === 0) return '';
    const monotonic = claimableAt(sight, holdOffMs, terms);
    return `: may claim from ${seconds(monotonic + this.#suspendedMs)}`;
  }

  #learn(news: News, told?: (sight: Sight) => void): void {
    const before = this.#sight;
    const now = this.#instant;
    this.#sight = this.#world.protocol.observe(before, news, now.monotonic);
    if (this.#sight === before) return;
    told?.(this.#sight);
    this.#contention = sawChange(this.#contention, before, this.#sight);
    this.#hasHeard = true;
    this.#absorb({ type: 'news', sight: this.#sight, pace: this.#pace() });
    this.#pump();
  }

  #pace(): Pace {
    return paceOf(this.#contention, this.name, this.#chance);
  }

  #dispatch(event: Event, attempt = this.#attempt): void {
    // What comes of a request of an attempt that has ended is nothing to the next one.
    if (attempt !== this.#attempt) return;
    this.#absorb(event);
    this.#pump();
  }

  #absorb(event: Event): void {
    const before = this.#state;
    if (before === null || before.kind === 'over' || this.#attempt === null) return;
    const after = this.#world.protocol.advance(before, event, this.#instant, this.#attempt);
    this.#state = after;
    if (after.kind !== 'over') return;
    const { end } = after;
    if (end.how === 'lost') this.#say(`its signal is aborted: the lock is lost (${end.reason})`);
    else this.#say(ENDS[end.how]);
  }

  #pump(): void {
    if (this.#state === null || this.#attempt === null) return;
    if (this.isCrashed || this.isSuspended) return;
    const step = this.#world.protocol.nextStep(this.#state, this.#instant, this.#attempt);
    switch (step.do) {
      case 'end':
        return;
      case 'wait':
        return this.#world.wakeUp(this, step.ms);
      case 'fail':
        this.#say(`fails: ${step.error.message}`);
        return this.#dispatch({ type: 'stop' });
      case 'yield':
        throw new Error('only an attempt that does not wait gives way');
      default:
        if (step.do === 'write' && step.write.intent === 'renew' && this.#renewal !== null) {
          return this.#world.wakeUp(this, beliefMs(this.#state, this.#instant));
        }
        this.#perform(step, this.#state);
        this.#pump();
    }
  }

  #perform(step: RequestStep, state: State): void {
    this.#say(deed(step));
    const { limitMs } = requestBudget(state, this.#instant);
    const asked = this.#sight.serial;
    this.#absorb({ type: 'begun', step });
    if (step.do === 'write') this.#sendWrite({ by: this, step, limitMs }, step.write);
    else this.#ask({ by: this, step, limitMs }, step.do, asked);
  }

  #sendWrite(flight: WriteInFlight, write: Write): void {
    const { stamp, intent } = write;
    const sentAt = this.#world.now;
    const attempt = this.#attempt;
    if (intent === 'renew') this.#renewal = stamp;
    this.#absorb({ type: 'sent', stamp });
    const over = (): void => {
      if (this.#renewal === stamp) this.#renewal = null;
    };
    this.#world.send({
      ...flight,
      silent: () => {
        over();
        this.#dispatch({ type: 'silent', stamp }, attempt);
      },
      settle: (result) => {
        over();
        const until = this.#heldUntil;
        if (result.kind === 'ok') {
          this.#contention = measured(this.#contention, this.#world.now - sentAt);
          if (result.lease !== null) this.#learn({ ...presentOf(result.lease), asked: null });
          this.#sayHeld(until);
          if (until === this.#heldUntil && result.lease !== null)
            this.#sayLate(write, result.lease);
        }
        if (result.kind === 'conflict' && intent === 'claim' && this.#hasHeard) {
          this.#contention = lostClaim(this.#contention, flight.step.base, this.#sight);
        }
        this.#dispatch({ type: 'settled', stamp, verdict: { kind: result.kind } }, attempt);
      },
    });
  }

  #ask(
    flight: Omit<RequestInFlight, 'silent' | 'settle'>,
    request: Exclude<RequestStep['do'], 'write'>,
    asked: number,
  ): void {
    const attempt = this.#attempt;
    let isWaiting = true;
    const answered = (kind: Result['kind']): void => {
      if (isWaiting) this.#dispatch({ type: 'answered', request, verdict: { kind } }, attempt);
      isWaiting = false;
    };
    this.#world.send({
      ...flight,
      // Only a read and an announcement are given up so soon: what it may still tell is learnt all the same.
      silent: () => {
        if (request === 'read' || request === 'announce') answered('unknown');
      },
      settle: (result) => {
        const until = this.#heldUntil;
        if (result.kind === 'ok') {
          const isWrite = request === 'create' || request === 'announce';
          const serial = isWrite ? null : asked;
          if (result.lease !== null) this.#learn({ ...presentOf(result.lease), asked: serial });
          else this.#learn({ kind: 'absent', version: null, asked: serial });
        }
        this.#sayHeld(until);
        answered(result.kind);
      },
    });
  }
}

const ENDS = {
  released: 'is done: the release is confirmed',
  left: 'is done: the Lease is not its own any more',
  withdrawn: 'is done: it leaves nothing behind',
} as const;

const REASONS = {
  first: 'reads the Lease',
  doubt: 'reads the Lease, being in doubt',
  silence: 'reads the Lease: its watch has been silent for long',
  poll: 'reads the Lease: it has no watch',
} as const;

function deed(step: RequestStep): string {
  switch (step.do) {
    case 'read':
      return REASONS[step.why];
    case 'create':
      return 'creates a vacant Lease';
    case 'delete':
      return `deletes version ${step.base.version}`;
    case 'announce':
      return step.announcement === null ? 'takes its announcement back' : 'announces itself';
    case 'write': {
      const { intent, base } = step.write;
      return `${DEEDS[intent]}: PUT onto version ${base}`;
    }
  }
}

function presentOf(lease: Lease): { readonly kind: 'present'; readonly lease: Lease } {
  return { kind: 'present', lease };
}
