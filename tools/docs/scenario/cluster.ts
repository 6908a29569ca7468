/**
 * Candidates, one API server, and the network between them, on one clock. Everything takes the same time on its way, so
 * a scenario has one course of events only; what goes wrong is what the script says.
 */
import { isVacant, type Change, type Lease } from '../../../src/lease/record.js';
import { at, leaseWith, terms as termsOf, waitingAfter } from '../../harness/protocol/fixtures.js';
import {
  Candidate,
  type RequestInFlight,
  type RequestStep,
  type Result,
  type Surroundings,
} from './candidate.js';
import type { Protocol } from './protocol.js';
import { NOUNS, seconds, versionOf } from './words.js';

/** From a candidate to the server, or back; events of a watch take as long. */
const WAY_MS = 10;

/** Without an answer for this long, a request gives way to the next one, as in the library. */
const SILENT_MS = 650;

const FIRST_VERSION = 100n;

export interface Fault {
  readonly name: string;
  /** `write` for any of them. */
  readonly what: string;
  /** How long it takes to the server; `Infinity` when it never gets there. */
  readonly wayMs?: number;
  readonly isReplyLost?: boolean;
}

type AnnounceStep = Extract<RequestStep, { do: 'announce' }>;

interface Appointment {
  readonly at: number;
  /** Of two at the same moment the lower one goes first: an answer before the event of a watch. */
  readonly rank: number;
  readonly act: () => void;
  readonly wakes: Candidate | null;
}

export class Cluster implements Surroundings {
  readonly protocol: Protocol;
  readonly #candidates = new Map<string, Candidate>();
  #appointments: Appointment[] = [];
  readonly #trace: string[] = [];
  readonly #faults: Fault[] = [];
  #lease: Lease | null = null;
  #version = FIRST_VERSION;
  #uids = 1;
  #changedAt = 0;
  #lastToken = 0n;
  now = 0;

  constructor(protocol: Protocol) {
    this.protocol = protocol;
  }

  say(actor: string, what: string): void {
    this.#trace.push(row(seconds(this.now), ' ', actor, what));
  }

  /** What was said since the last call. */
  takeTrace(): string[] {
    return this.#trace.splice(0);
  }

  /** Who believes what now. */
  table(): string[] {
    const lease = row(seconds(this.now), '=', 'Lease', this.#shown());
    const others = [...this.#candidates].map(([name, one]) => row('', '=', name, one.describe()));
    return [lease, ...others];
  }

  add(name: string, over: Parameters<typeof termsOf>[1], chance: number): void {
    if (this.#candidates.has(name)) throw new Error(`there is a candidate ${name} already`);
    const terms = termsOf(name, { ...over, identity: name });
    this.#candidates.set(name, new Candidate(this, terms, chance));
  }

  candidate(name: string): Candidate {
    const candidate = this.#candidates.get(name);
    if (candidate === undefined) throw new Error(`there is no candidate ${name}`);
    return candidate;
  }

  /** A Lease from before the scenario: vacant without a holder. */
  given(holder: string, idleMs: number): void {
    const time = at(-idleMs).wall;
    const times = { acquireTime: time, renewTime: time, transitions: 3 };
    const record = { holder, durationMs: holder === '' ? 1_000 : 15_000, ...times };
    this.#lease = leaseWith({ record, mark: null }, this.#version);
    this.#changedAt = -idleMs;
  }

  plan(fault: Fault): void {
    this.#faults.push(fault);
  }

  /** A write by hand, which asks for no version. */
  label(): void {
    this.#commit({ ...this.#existing(), version: this.#next() });
    this.say('kubectl', `edits a label: ${this.#shown()}`);
  }

  editHolder(holder: string): void {
    const { record, uid } = this.#existing();
    this.#changedAt = this.now;
    this.#commit(leaseWith({ record: { ...record, holder }, mark: null }, this.#next(), { uid }));
    this.say('kubectl', `edits the holder: ${this.#shown()}`);
  }

  remove(): void {
    this.#existing();
    this.#next();
    this.#commit(null);
    this.say('kubectl', `deletes the Lease: that is version ${this.#version}`);
  }

  /** Lets everything happen that is due by then, each at its own moment. */
  advanceTo(target: number): void {
    for (;;) {
      const next = this.#appointments.reduce<Appointment | null>(
        (first, one) => (first === null || isBefore(one, first) ? one : first),
        null,
      );
      if (next === null || next.at > target) break;
      this.#appointments = this.#appointments.filter((one) => one !== next);
      this.now = next.at;
      next.act();
      this.#check();
    }
    this.now = target;
    this.#check();
  }

  suspend(name: string, ms: number): void {
    const candidate = this.candidate(name);
    candidate.suspend();
    this.#at(ms, () => {
      candidate.resume();
      for (const act of candidate.missed.splice(0)) act();
    });
  }

  crash(name: string): void {
    this.candidate(name).isCrashed = true;
    this.say(name, 'crashes: no more is heard of it');
  }

  send(request: RequestInFlight): void {
    const what = nameOf(request);
    let isOpen = true;
    const settle = (result: Result): void => {
      if (isOpen) this.#reach(request.by, () => request.settle(result));
      isOpen = false;
    };
    const ifOpen = (say: string, act: () => void) => (): void => {
      if (!isOpen) return;
      this.say(request.by.name, say);
      act();
    };
    const silent = ifOpen(`has no answer to its ${what} for ${SILENT_MS} ms`, () => {
      this.#reach(request.by, () => request.silent());
    });
    const overdue = ifOpen(`waits no longer for the answer to its ${what}`, () => {
      settle({ kind: 'unknown' });
    });
    const broken = ifOpen(`has no answer to its ${what}: the connection broke`, () => {
      settle({ kind: 'unknown' });
    });
    const refused = ifOpen(`gets 409 for its ${what}`, () => settle({ kind: 'conflict' }));
    if (request.limitMs > SILENT_MS) this.#at(SILENT_MS, silent);
    this.#at(request.limitMs, overdue);
    const { wayMs = WAY_MS, isReplyLost = false } = this.#faultFor(request) ?? {};
    const whose = `${request.by.name}'s ${what}`;
    if (wayMs === Infinity) {
      this.say('network', `loses ${whose}`);
      this.#at(2 * WAY_MS, broken);
      return;
    }
    if (wayMs !== WAY_MS) this.say('network', `delays ${whose} until ${seconds(this.now + wayMs)}`);
    this.#at(wayMs, () => {
      const result = this.#handle(request);
      if (isReplyLost) this.say('network', `loses the answer to ${whose}`);
      const answered = result.kind === 'conflict' ? refused : (): void => settle(result);
      this.#at(WAY_MS, isReplyLost ? broken : answered);
    });
  }

  wakeUp(candidate: Candidate, ms: number): void {
    this.#appointments = this.#appointments.filter(({ wakes }) => wakes !== candidate);
    if (ms === Infinity) return;
    this.#at(ms, () => this.#reach(candidate, () => candidate.tick()), 2, candidate);
  }

  #at(ms: number, act: () => void, rank = 0, wakes: Candidate | null = null): void {
    this.#appointments.push({ at: this.now + ms, rank, act, wakes });
  }

  /** A process that does not run hears of what happened when it runs again. */
  #reach(candidate: Candidate, act: () => void): void {
    if (candidate.isCrashed) return;
    if (candidate.isSuspended) candidate.missed.push(act);
    else act();
  }

  #handle({ by, step }: RequestInFlight): Result {
    switch (step.do) {
      case 'read': {
        const idleMs = this.now - this.#changedAt;
        const isHeld = this.#lease !== null && !isVacant(this.#lease.record);
        const idle = isHeld ? `, last written ${seconds(idleMs)} s ago` : '';
        this.say('server', `answers ${by.name}: ${this.#shown()}${idle}`);
        return { kind: 'ok', lease: this.#lease === null ? null : { ...this.#lease, idleMs } };
      }
      case 'create':
        if (this.#lease !== null) return this.#refuse(by, 'Lease', 'it exists');
        this.#uids += 1;
        return this.#accept(by, 'Lease', step.change, `uid-${this.#uids}`);
      case 'delete':
        if (!this.#isCurrent(step.base)) return this.#refuse(by, 'deletion', this.#shown());
        this.#next();
        this.#commit(null);
        this.say('server', `deletes the Lease for ${by.name}`);
        return { kind: 'ok', lease: null };
      case 'announce':
        return this.#announce(by, step);
      case 'write':
        if (!this.#isCurrent(step.base)) {
          return this.#refuse(by, NOUNS[step.write.intent], `the newest is ${this.#shown()}`);
        }
        return this.#accept(by, NOUNS[step.write.intent], step.change, step.base.uid);
    }
  }

  #isCurrent(base: Lease): boolean {
    return this.#lease?.uid === base.uid && this.#lease.version === base.version;
  }

  #accept(by: Candidate, what: string, change: Change, uid: string): Result {
    // A bump and an announcement leave the spec as it is, and with it the time of the last heartbeat.
    const isNote = change.bump !== undefined || change.announcement !== undefined;
    if (!isNote) this.#changedAt = this.now;
    const waiting = this.#lease === null ? [] : waitingAfter(this.#lease, change);
    const lease = leaseWith(change, this.#next(), { uid, waiting });
    this.#commit(lease);
    this.say('server', `accepts ${by.name}'s ${what}: ${versionOf(lease)}`);
    return { kind: 'ok', lease };
  }

  /** Onto the newest version, whatever the sender knows. */
  #announce(by: Candidate, { base, announcement }: AnnounceStep): Result {
    const lease = this.#lease;
    if (lease?.uid !== base.uid) return this.#refuse(by, NOUNS.announce, this.#shown());
    const { announcementId } = by;
    const change = announcement === null ? { ended: [announcementId] } : { announcement };
    const next = { ...lease, version: this.#next(), waiting: waitingAfter(lease, change) };
    this.#commit(next);
    this.say('server', `accepts ${by.name}'s ${NOUNS.announce}: ${versionOf(next)}`);
    return { kind: 'ok', lease: next };
  }

  #refuse(by: Candidate, what: string, why: string): Result {
    this.say('server', `refuses ${by.name}'s ${what} with 409: ${why}`);
    return { kind: 'conflict' };
  }

  #next(): bigint {
    this.#version += 1n;
    return this.#version;
  }

  #commit(lease: Lease | null): void {
    this.#lease = lease;
    const version = this.#version;
    for (const one of this.#candidates.values()) {
      if (!one.isTakingPart || !one.isWatching) continue;
      this.#at(WAY_MS, () => this.#reach(one, () => one.hear(lease, version)), 1);
    }
  }

  #existing(): Lease {
    if (this.#lease === null) throw new Error('there is no Lease');
    return this.#lease;
  }

  #shown(): string {
    return this.#lease === null ? 'no Lease' : versionOf(this.#lease);
  }

  #faultFor({ by, step }: RequestInFlight): Fault | undefined {
    if (step.do !== 'write') return undefined;
    const what = NOUNS[step.write.intent];
    const index = this.#faults.findIndex((one) => {
      return one.name === by.name && (one.what === 'write' || one.what === what);
    });
    return index < 0 ? undefined : this.#faults.splice(index, 1)[0];
  }

  /** The two promises: no expected trace may ever show them broken. */
  #check(): void {
    const believers = [...this.#candidates.values()].filter((one) => one.believes);
    if (believers.length > 1) {
      const names = believers.map(({ name }) => name).join(' and ');
      throw new Error(`${seconds(this.now)}: ${names} believe that they hold the Lease`);
    }
    const token = believers[0]?.token ?? this.#lastToken;
    if (token < this.#lastToken)
      throw new Error(`${seconds(this.now)}: token ${token} is less than the last`);
    this.#lastToken = token;
  }
}

function row(time: string, mark: string, name: string, what: string): string {
  return `${time.padStart(8)}  ${mark} ${name.padEnd(8)} ${what}`;
}

function isBefore(one: Appointment, other: Appointment): boolean {
  return one.at < other.at || (one.at === other.at && one.rank < other.rank);
}

function nameOf({ step }: RequestInFlight): string {
  return step.do === 'write' ? NOUNS[step.write.intent] : step.do;
}
