// What must be true of any story of elections, whatever goes wrong in it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { LockLostError, diagnosticsChannels } from '@metaparticle/sync';
import type { Election, EventMessage, Leading, StepMessage, StopReason } from '@metaparticle/sync';

/** One candidate, as far as its history goes. */
export interface Subject {
  readonly name: string;
  readonly election: Election;
}

interface OpenTerm extends Leading {
  readonly startedAt: number;
  isSteppedDown: boolean;
  isAborted: boolean;
  isFailing: boolean;
}

/** An acquisition, with the version by which the API server orders it. */
interface Claim {
  readonly version: bigint;
  readonly token: bigint;
}

interface Chapter {
  readonly subject: Subject;
  open: OpenTerm | null;
  /** Leading callbacks that have not settled. */
  working: number;
  started: number;
  stopped: number;
}

/** A timer of this process may be so late. */
const LATE_MS = 250;

/** Takes down what happens, and every promise that it breaks. */
export class History {
  readonly violations: string[] = [];
  readonly told: string[] = [];
  readonly #chapters = new Map<string, Chapter>();
  readonly #beliefMs: number;
  readonly #drainTimeoutMs: number;
  readonly #since = performance.now();
  readonly #claims: Claim[] = [];
  #outsideAt = -Infinity;
  #greatest = 0n;

  constructor(beliefMs: number, drainTimeoutMs: number) {
    this.#beliefMs = beliefMs;
    this.#drainTimeoutMs = drainTimeoutMs;
    subscribe(diagnosticsChannels.step, this.#onStep);
    subscribe(diagnosticsChannels.event, this.#onEvent);
  }

  end(): void {
    unsubscribe(diagnosticsChannels.step, this.#onStep);
    unsubscribe(diagnosticsChannels.event, this.#onEvent);
  }

  enter(subject: Subject): void {
    this.#chapters.set(subject.name, { subject, open: null, working: 0, started: 0, stopped: 0 });
  }

  get terms(): number {
    return [...this.#chapters.values()].reduce((sum, { started }) => sum + started, 0);
  }

  note(what: string): void {
    this.told.push(`${(performance.now() - this.#since).toFixed(0)} ${what}`);
  }

  /** Somebody who keeps to no protocol deleted or overwrote the Lease. */
  outsider(what: string): void {
    this.#outsideAt = performance.now();
    this.note(`outsider: ${what}`);
  }

  steppedDown(name: string): void {
    const { open } = this.#of(name);
    if (open !== null) open.isSteppedDown = true;
    this.note(`${name}: asked to step down`);
  }

  aborted(name: string): void {
    const { open } = this.#of(name);
    if (open !== null) open.isAborted = true;
    this.note(`${name}: asked to stop`);
  }

  failing(name: string): void {
    const { open } = this.#of(name);
    if (open !== null) open.isFailing = true;
    this.note(`${name}: fails`);
  }

  started(name: string, leading: Leading): void {
    const chapter = this.#of(name);
    const { election } = chapter.subject;
    const { fencingToken, signal, lostSignal } = leading;
    this.note(`${name}: leads, token ${fencingToken}`);
    if (chapter.open !== null) this.#broken(`${name} leads again before the last end was told`);
    if (chapter.working > 0) this.#broken(`${name} leads again while its old work goes on`);
    if (signal.aborted || lostSignal.aborted) this.#broken(`${name} begins with a signal aborted`);
    if (!election.isLeader()) this.#broken(`${name} is told to lead and does not`);
    if (election.fencingToken !== fencingToken) this.#broken(`${name} has two tokens`);
    if (fencingToken <= this.#greatest && !this.#isExcused()) {
      this.#broken(`${name} has token ${fencingToken} after ${this.#greatest}`);
    }
    if (fencingToken > this.#greatest) this.#greatest = fencingToken;
    const unasked = { isSteppedDown: false, isAborted: false, isFailing: false };
    chapter.open = { ...leading, startedAt: performance.now(), ...unasked };
    chapter.started += 1;
    chapter.working += 1;
    this.look();
  }

  /** The leading callback is about to settle; `windingMs` is how long ago it was asked to, if it was. */
  settling(name: string, { lostSignal }: Leading, windingMs: number): void {
    const chapter = this.#of(name);
    chapter.working -= 1;
    const isOverdue = windingMs > this.#drainTimeoutMs - LATE_MS;
    if (lostSignal.aborted && !isLoss(lostSignal.reason) && !isOverdue) {
      this.#broken(
        `${name} was let go after ${windingMs.toFixed(0)} ms, before its work had ended`,
      );
    }
    this.note(`${name}: work ends`);
  }

  stopped(name: string, reason: StopReason): void {
    const chapter = this.#of(name);
    const { open, subject } = chapter;
    this.note(`${name}: stopped, ${reason}`);
    chapter.stopped += 1;
    if (open === null) return this.#broken(`${name} is told of an end, ${reason}, without a term`);
    chapter.open = null;
    const { signal, lostSignal } = open;
    if (!signal.aborted || !lostSignal.aborted) this.#broken(`${name} ended without its signals`);
    if (subject.election.isLeader()) this.#broken(`${name} leads after its end was told`);
    const isLegal: Readonly<Record<StopReason, boolean>> = {
      lost: isLoss(lostSignal.reason),
      'stepped-down': open.isSteppedDown && !isLoss(lostSignal.reason),
      aborted: open.isAborted && !isLoss(lostSignal.reason),
      failed: open.isFailing && !isLoss(lostSignal.reason),
    };
    if (!isLegal[reason]) this.#broken(`${name} ended as ${reason}: ${String(lostSignal.reason)}`);
    const isOutside = isLoss(lostSignal.reason) && lostSignal.reason.reason !== 'expired';
    if (isOutside && this.#outsideAt === -Infinity) {
      this.#broken(`${name} lost what nobody took: ${String(lostSignal.reason)}`);
    }
  }

  /** Asks all of them, in one tick, who leads. */
  look(): void {
    const leading = [...this.#chapters.values()].filter(({ subject }) =>
      subject.election.isLeader(),
    );
    for (const { subject, open } of leading) {
      if (open === null) this.#broken(`${subject.name} leads and was not told`);
      else if (open.lostSignal.aborted) this.#broken(`${subject.name} leads without authority`);
    }
    for (const { subject, open } of this.#chapters.values()) {
      // Asked first: it is the question that may find out, and aborts the signal before it is answered.
      const isLeader = subject.election.isLeader();
      if (open !== null && !isLeader && !open.lostSignal.aborted) {
        this.#broken(`${subject.name} leads no more, and its signal does not say so`);
      }
    }
    if (leading.length > 1 && !this.#isExcused()) {
      this.#broken(
        `at one moment lead ${leading.map(({ subject }) => subject.name).join(' and ')}`,
      );
    }
  }

  get leaders(): string[] {
    const all = [...this.#chapters.values()].map(({ subject }) => subject);
    return all.filter(({ election }) => election.isLeader()).map(({ name }) => name);
  }

  /** After all runs have ended. */
  close(): void {
    for (const { subject, open, started, stopped, working } of this.#chapters.values()) {
      if (open !== null || started !== stopped) {
        this.#broken(`${subject.name} was told of ${started} terms and ${stopped} ends`);
      }
      if (working > 0) this.#broken(`${subject.name} has work that goes on`);
      if (subject.election.isLeader()) this.#broken(`${subject.name} leads without running`);
    }
    const claims = [...this.#claims].sort((a, b) => (a.version < b.version ? -1 : 1));
    for (const [index, { token }] of claims.entries()) {
      const before = claims[index - 1]?.token ?? -1n;
      if (token <= before) this.#broken(`token ${token} was given after ${before}`);
    }
  }

  broken(what: string): void {
    this.#broken(what);
  }

  /** What outsiders do may let two lead for as long as the first one had the right to believe. */
  #isExcused(): boolean {
    return performance.now() - this.#outsideAt < this.#beliefMs + LATE_MS;
  }

  readonly #onStep = (message: unknown): void => {
    const { identity, intent, detail } = message as StepMessage;
    const open = this.#chapters.get(identity)?.open ?? null;
    if (intent !== 'vacate' || open === null) return;
    const { step } = detail as { step: { base: { mark: { token: bigint } | null } } };
    if (step.base.mark?.token === open.fencingToken && !open.lostSignal.aborted) {
      this.#broken(`${identity} is released before it was told`);
    }
  };

  readonly #onEvent = (message: unknown): void => {
    const { identity, before, after, token, detail } = message as EventMessage;
    if (before !== 'seeking' || after !== 'holding' || !this.#chapters.has(identity)) return;
    const { version } = (detail as { after: { sight: { version: bigint } } }).after.sight;
    this.#claims.push({ version, token: token ?? 0n });
  };

  #of(name: string): Chapter {
    const chapter = this.#chapters.get(name);
    if (chapter === undefined) throw new Error(`nobody is called ${name}`);
    return chapter;
  }

  #broken(what: string): void {
    this.violations.push(what);
    this.note(`!!! ${what}`);
  }
}

function isLoss(reason: unknown): reason is LockLostError {
  return reason instanceof LockLostError && reason.reason !== 'released';
}
