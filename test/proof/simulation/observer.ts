import type { EventMessage } from '@metaparticle/sync';
import type { Belief, GuardedWrite } from '../../../tools/harness/history/history.js';
import type { InvariantChecker, Violate } from './invariants.js';
import type { SimulatedNode } from './node.js';
import type { Plan } from './plan.js';
import type { Schedule } from './schedule.js';

/** A process that may consider a lock held. */
export interface Holder {
  readonly node: SimulatedNode;
  readonly lock: string;
  readonly token: bigint;
  /** As a user asks. */
  isHeld(): boolean;
  /** Aborted once it is lost; `null` for electors that have none. */
  readonly signal: AbortSignal | null;
  /** Its own user gave it back: no loss is reported any more. */
  isGivenBack(): boolean;
}

/** The keeper's own state, as it publishes it. */
interface Term {
  readonly nonce: string;
  /** End of belief in elapsed time, `null` when nothing is held. */
  heldUntil: number | null;
}

interface ObservedTerm {
  readonly holder: Holder;
  readonly term: Term | null;
  from: number | null;
  /** As last known: belief ends by then, if nothing is renewed. */
  endsAt: number;
  endedAt: number | null;
}

/** `signal` follows a timer; belief ends so much earlier that the margin still covers it. */
const SIGNAL_LATENESS_MS = 60;

/** Observes after every event which process considers which lock held. Between two events only the clocks change. */
export class Observer {
  readonly beliefs: Belief[] = [];
  readonly writes: GuardedWrite[] = [];
  readonly #schedule: Schedule;
  readonly #invariants: InvariantChecker;
  readonly #plan: Plan;
  readonly #violate: Violate;
  readonly #terms = new Map<string, Term>();
  readonly #greatest = new Map<string, bigint>();
  #observed: ObservedTerm[] = [];

  constructor(schedule: Schedule, invariants: InvariantChecker, plan: Plan, violate: Violate) {
    this.#schedule = schedule;
    this.#invariants = invariants;
    this.#plan = plan;
    this.#violate = violate;
  }

  /** What a keeper on this node published. */
  published(node: SimulatedNode, { lease, nonce, token, detail }: EventMessage): void {
    const { before, after } = detail as { before: Holding; after: Holding };
    if (before.kind !== 'holding' && after.kind !== 'holding') return;
    const key = keyOf(node, lease.slice(lease.indexOf('/') + 1), token ?? before.token ?? 0n);
    const term = this.#terms.get(key) ?? { nonce, heldUntil: null };
    term.heldUntil = after.kind === 'holding' ? (after.heldUntil ?? null) : null;
    this.#terms.set(key, term);
  }

  watch(holder: Holder): void {
    const { node, lock, token } = holder;
    const term = this.#terms.get(keyOf(node, lock, token)) ?? null;
    this.#observed.push({ holder, term, from: null, endsAt: Infinity, endedAt: null });
  }

  /** A write to the register that the lock protects arrives there. */
  write(process: string, lock: string, token: bigint): boolean {
    const accepted = token >= (this.#greatest.get(lock) ?? 0n);
    if (accepted) this.#greatest.set(lock, token);
    this.writes.push({ process, lock, token, at: this.#schedule.now, accepted });
    return accepted;
  }

  look(): void {
    if (this.#observed.length === 0) return;
    for (const observed of this.#observed) this.#ask(observed);
    this.#observed = this.#observed.filter((observed) => !this.#isClosed(observed));
  }

  /** Beliefs that have not ended are taken to last until now. */
  close(): void {
    for (const observed of this.#observed) this.#end(observed);
    this.#observed = [];
  }

  #ask(observed: ObservedTerm): void {
    const { holder, term } = observed;
    const { node } = holder;
    if (node.isDead) return this.#end(observed);
    const { now } = this.#schedule;
    const endsAt =
      term === null ? Infinity : term.heldUntil === null ? -Infinity : node.worldAt(term.heldUntil);
    const isAsked = term === null || (this.#plan.asks && !node.isStalled);
    const isHeld = isAsked ? holder.isHeld() : now < endsAt;
    if (!isHeld) {
      this.#end(observed);
      return this.#checkSignal(observed);
    }
    if (observed.endedAt !== null) this.#broken('3', observed, 'believes again after it had ended');
    if (term !== null && node.elapsed > this.#invariants.coveredUntil(term.nonce) + 0.001) {
      this.#broken('3', observed, 'believes without a landed write that was sent so lately');
    }
    observed.from ??= now;
    observed.endsAt = endsAt;
  }

  #end(observed: ObservedTerm): void {
    const { holder, from, endsAt, endedAt } = observed;
    if (endedAt !== null) return;
    const until = Math.min(this.#schedule.now, endsAt);
    observed.endedAt = until;
    if (from === null || until <= from) return;
    const { node, lock, token } = holder;
    const term = `${node.id} ${token}`;
    this.beliefs.push({ process: node.id, lock, term, token, from, until });
  }

  #checkSignal(observed: ObservedTerm): void {
    const { signal, node } = observed.holder;
    if (signal === null || signal.aborted || node.isStalled || observed.endedAt === null) return;
    if (observed.holder.isGivenBack()) return;
    // A timer that was set before a suspension rings late; the next renewal was due by then at the latest.
    const renewedBy = node.resumedAt + this.#plan.timings.renewIntervalMs / node.rate;
    const since = Math.max(observed.endedAt, node.awakeSince, renewedBy);
    if (this.#schedule.now - since > SIGNAL_LATENESS_MS) {
      this.#broken('signal', observed, 'has lost it, and its signal does not say so');
    }
  }

  #isClosed({ endedAt, holder }: ObservedTerm): boolean {
    if (endedAt === null) return false;
    if (holder.node.isDead || holder.isGivenBack()) return true;
    return this.#schedule.now - endedAt > 500;
  }

  #broken(promise: string, { holder }: ObservedTerm, what: string): void {
    const { node, lock, token } = holder;
    this.#violate(promise, `${lock}: ${node.id} (token ${token}) ${what}`);
  }
}

interface Holding {
  readonly kind: string;
  readonly token?: bigint;
  readonly heldUntil?: number;
}

function keyOf(node: SimulatedNode, lock: string, token: bigint): string {
  return `${node.id} ${lock} ${token}`;
}
