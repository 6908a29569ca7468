import type { EventMessage } from '@metaparticle/sync';
import type { Belief, GuardedWrite } from '../../../tools/harness/history/history.js';
import type { Ledger, Violate } from './ledger.js';
import type { Machine } from './machine.js';
import type { Plan } from './plan.js';
import type { Schedule } from './schedule.js';

/** Somebody who may believe that a lock is his. */
export interface Believer {
  readonly machine: Machine;
  readonly lock: string;
  readonly token: bigint;
  /** As a user asks. */
  isHeld(): boolean;
  /** Aborted once it is lost; `null` for those who have none. */
  readonly signal: AbortSignal | null;
  /** It was given back by its own user, who is not told of a loss any more. */
  isGivenBack(): boolean;
}

/** What a keeper goes by, as it publishes it. */
interface Term {
  readonly nonce: string;
  /** End of belief in elapsed time, `null` when nothing is held. */
  heldUntil: number | null;
}

interface Chapter {
  readonly believer: Believer;
  readonly term: Term | null;
  from: number | null;
  /** As last known: belief ends by then, if nothing is renewed. */
  endsAt: number;
  endedAt: number | null;
}

/** `signal` follows a timer; belief ends so much earlier that the margin still covers it. */
const SIGNAL_LATENESS_MS = 60;

/** Sees who believes what at every moment: between two events nothing changes but the clocks. */
export class Witness {
  readonly beliefs: Belief[] = [];
  readonly writes: GuardedWrite[] = [];
  readonly #schedule: Schedule;
  readonly #ledger: Ledger;
  readonly #plan: Plan;
  readonly #violate: Violate;
  readonly #terms = new Map<string, Term>();
  readonly #greatest = new Map<string, bigint>();
  #chapters: Chapter[] = [];

  constructor(schedule: Schedule, ledger: Ledger, plan: Plan, violate: Violate) {
    this.#schedule = schedule;
    this.#ledger = ledger;
    this.#plan = plan;
    this.#violate = violate;
  }

  /** What a keeper on this machine published. */
  published(machine: Machine, { lease, nonce, token, detail }: EventMessage): void {
    const { before, after } = detail as { before: Holding; after: Holding };
    if (before.kind !== 'holding' && after.kind !== 'holding') return;
    const key = keyOf(machine, lease.slice(lease.indexOf('/') + 1), token ?? before.token ?? 0n);
    const term = this.#terms.get(key) ?? { nonce, heldUntil: null };
    term.heldUntil = after.kind === 'holding' ? (after.heldUntil ?? null) : null;
    this.#terms.set(key, term);
  }

  watch(believer: Believer): void {
    const { machine, lock, token } = believer;
    const term = this.#terms.get(keyOf(machine, lock, token)) ?? null;
    this.#chapters.push({ believer, term, from: null, endsAt: Infinity, endedAt: null });
  }

  /** A write to the register that the lock protects arrives there. */
  write(process: string, lock: string, token: bigint): boolean {
    const accepted = token >= (this.#greatest.get(lock) ?? 0n);
    if (accepted) this.#greatest.set(lock, token);
    this.writes.push({ process, lock, token, at: this.#schedule.now, accepted });
    return accepted;
  }

  look(): void {
    if (this.#chapters.length === 0) return;
    for (const chapter of this.#chapters) this.#ask(chapter);
    this.#chapters = this.#chapters.filter((chapter) => !this.#isClosed(chapter));
  }

  /** Whoever believes still is taken to do so until now. */
  close(): void {
    for (const chapter of this.#chapters) this.#end(chapter);
    this.#chapters = [];
  }

  #ask(chapter: Chapter): void {
    const { believer, term } = chapter;
    const { machine } = believer;
    if (machine.isDead) return this.#end(chapter);
    const { now } = this.#schedule;
    const endsAt =
      term === null
        ? Infinity
        : term.heldUntil === null
          ? -Infinity
          : machine.worldAt(term.heldUntil);
    const isAsked = term === null || (this.#plan.asks && !machine.isStalled);
    const isHeld = isAsked ? believer.isHeld() : now < endsAt;
    if (!isHeld) {
      this.#end(chapter);
      return this.#checkSignal(chapter);
    }
    if (chapter.endedAt !== null) this.#broken('3', chapter, 'believes again after it had ended');
    if (term !== null && machine.elapsed > this.#ledger.coveredUntil(term.nonce) + 0.001) {
      this.#broken('3', chapter, 'believes without a landed write that was sent so lately');
    }
    chapter.from ??= now;
    chapter.endsAt = endsAt;
  }

  #end(chapter: Chapter): void {
    const { believer, from, endsAt, endedAt } = chapter;
    if (endedAt !== null) return;
    const until = Math.min(this.#schedule.now, endsAt);
    chapter.endedAt = until;
    if (from === null || until <= from) return;
    const { machine, lock, token } = believer;
    const term = `${machine.id} ${token}`;
    this.beliefs.push({ process: machine.id, lock, term, token, from, until });
  }

  #checkSignal(chapter: Chapter): void {
    const { signal, machine } = chapter.believer;
    if (signal === null || signal.aborted || machine.isStalled || chapter.endedAt === null) return;
    if (chapter.believer.isGivenBack()) return;
    // A timer that was set before a suspension rings late; the next renewal was due by then at the latest.
    const renewedBy = machine.resumedAt + this.#plan.timings.renewIntervalMs / machine.rate;
    const since = Math.max(chapter.endedAt, machine.awakeSince, renewedBy);
    if (this.#schedule.now - since > SIGNAL_LATENESS_MS) {
      this.#broken('signal', chapter, 'has lost it, and its signal does not say so');
    }
  }

  #isClosed({ endedAt, believer }: Chapter): boolean {
    if (endedAt === null) return false;
    if (believer.machine.isDead || believer.isGivenBack()) return true;
    return this.#schedule.now - endedAt > 500;
  }

  #broken(promise: string, { believer }: Chapter, what: string): void {
    const { machine, lock, token } = believer;
    this.#violate(promise, `${lock}: ${machine.id} (token ${token}) ${what}`);
  }
}

interface Holding {
  readonly kind: string;
  readonly token?: bigint;
  readonly heldUntil?: number;
}

function keyOf(machine: Machine, lock: string, token: bigint): string {
  return `${machine.id} ${lock} ${token}`;
}
