/**
 * A world for the pure protocol: one register that behaves as the API server does, a few processes that run
 * the real `nextStep` and `advance`, and a network that loses, delays and repeats. No I/O, no timers: a
 * seed decides everything, so a story can be told again.
 */
import { isHeld } from '../../../src/lease/protocol/holding.js';
import { advance } from '../../../src/lease/protocol/advance.js';
import { seek } from '../../../src/lease/protocol/seeking.js';
import { nothingSeen, observe, type News, type Sight } from '../../../src/lease/protocol/sight.js';
import type {
  Event,
  State,
  Step,
  Terms,
  Verdict,
  Write,
} from '../../../src/lease/protocol/state.js';
import { nextStep } from '../../../src/lease/protocol/step.js';
import type { Change, Lease } from '../../../src/lease/record.js';
import { at, leaseWith, terms } from '../../../tools/harness/protocol/fixtures.js';
import { seededRandom as random } from '../../../tools/harness/random.js';

type Doing = Exclude<Step, { do: 'wait' | 'end' | 'fail' | 'yield' }>;

/** A request on its way. `result` is there once the server handled it; it may never be heard of. */
interface Sent {
  readonly process: Process;
  readonly attempt: number;
  readonly step: Doing;
  readonly asked: number;
  handled: boolean;
  answer: { verdict: Verdict; news: News | null } | null;
  replied: boolean;
}

interface Process {
  readonly name: string;
  terms: Terms;
  state: State;
  sight: Sight;
  attempt: number;
  paused: boolean;
  /** How far this process has read the server's history. */
  heard: number;
}

/** One entry of the register's history. */
interface Version {
  readonly lease: Lease | null;
  readonly version: bigint;
}

export interface Options {
  readonly processes: number;
  readonly steps: number;
  /** Somebody deletes and edits leases behind the protocol's back. */
  readonly outsiders: boolean;
  readonly wallStandsStill: boolean;
}

export { seededRandom as random } from '../../../tools/harness/random.js';

export class World {
  readonly story: string[] = [];
  readonly violations: string[] = [];
  acquisitions = 0;
  releases = 0;
  losses = 0;
  readonly #random: () => number;
  readonly #options: Options;
  readonly #processes: Process[];
  readonly #history: Version[] = [];
  readonly #believed = new Set<string>();
  readonly #ended = new Set<string>();
  #requests: Sent[] = [];
  #lease: Lease | null = null;
  #version = 100n;
  #uid = 0;
  #now = 0;
  #lastToken = 0n;
  #outsiderAt = -Infinity;

  constructor(seed: number, options: Options) {
    this.#random = random(seed);
    this.#options = options;
    this.#processes = Array.from({ length: options.processes }, (_, index) => ({
      name: `p${index}`,
      terms: terms(`p${index}.0`, { identity: `p${index}` }),
      state: seek(nothingSeen, at(0), 0),
      sight: nothingSeen,
      attempt: 0,
      paused: false,
      heard: 0,
    }));
  }

  run(): void {
    for (let step = 0; step < this.#options.steps && this.violations.length === 0; step++) {
      this.#act();
      this.#check();
    }
  }

  get #instant() {
    return at(this.#now, this.#options.wallStandsStill ? { wall: 1_700_000_000_000 } : {});
  }

  #act(): void {
    const process = this.#pick(this.#processes);
    const dice = this.#random();
    if (dice < 0.26) return this.#pass(this.#pick([1, 5, 20, 100, 250, 1_000, 4_000, 13_000]));
    if (dice < 0.32) {
      process.paused = !process.paused;
      return this.#tell(`${process.name} ${process.paused ? 'pauses' : 'resumes'}`);
    }
    if (dice < 0.55) return this.#handle();
    if (dice < 0.76) return this.#reply();
    if (dice < 0.9) return process.paused ? undefined : this.#hear(process);
    if (dice < 0.93) return process.paused ? undefined : this.#stop(process);
    if (dice < 0.95 && this.#options.outsiders) return this.#meddle();
    if (!process.paused) this.#event(process, { type: 'tick' });
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#tell(`${ms} ms pass`);
    for (const process of this.#processes) {
      if (!process.paused) this.#event(process, { type: 'tick' });
    }
  }

  /** The server handles some request that is on its way: now, late, or after its sender gave up. */
  #handle(): void {
    const open = this.#requests.filter((one) => !one.handled);
    if (open.length === 0) return;
    const request = this.#pick(open);
    request.handled = true;
    request.answer = this.#perform(request);
    this.#tell(`server handles ${request.step.do} of ${request.process.name}: ${this.#show()}`);
  }

  #perform({ step, asked }: Sent): Sent['answer'] {
    const lease = this.#lease;
    const ok = { kind: 'ok' } as const;
    const conflict = { verdict: { kind: 'conflict' } as const, news: null };
    switch (step.do) {
      case 'read':
        return {
          verdict: ok,
          news: lease
            ? { kind: 'present', lease, asked }
            : { kind: 'absent', version: null, asked },
        };
      case 'create':
        if (lease !== null) return conflict;
        this.#uid += 1;
        this.#put(leaseWith(step.change, ++this.#version, { uid: `uid-${this.#uid}` }));
        return { verdict: ok, news: { kind: 'present', lease: this.#leaseNow(), asked: null } };
      case 'delete':
        if (lease?.uid !== step.base.uid || lease.version !== step.base.version) return conflict;
        this.#remove();
        return { verdict: ok, news: null };
      case 'write':
        if (lease?.uid !== step.base.uid || lease.version !== step.base.version) return conflict;
        this.#replace(step.change, step.write, lease);
        return { verdict: ok, news: { kind: 'present', lease: this.#leaseNow(), asked: null } };
    }
  }

  #replace(change: Change, write: Write, base: Lease): void {
    if (change.bump !== undefined) return this.#put({ ...base, version: ++this.#version });
    // Identical bytes are no write at all.
    if (base.fingerprint === JSON.stringify(change.record)) return;
    this.#put(leaseWith(change, ++this.#version, { uid: base.uid }));
    if (write.intent !== 'claim') return;
    const token = change.mark?.token ?? -1n;
    if (token <= this.#lastToken) this.violations.push(`token ${token} after ${this.#lastToken}`);
    this.#lastToken = token;
  }

  #leaseNow(): Lease {
    if (this.#lease === null) throw new Error('no lease');
    return this.#lease;
  }

  #put(lease: Lease): void {
    this.#lease = lease;
    this.#history.push({ lease, version: this.#version });
  }

  #remove(): void {
    this.#lease = null;
    this.#history.push({ lease: null, version: ++this.#version });
  }

  /** Some request is answered, falls silent, or is given up by its sender. */
  #reply(): void {
    const open = this.#requests.filter((one) => !one.replied && !one.process.paused);
    if (open.length === 0) return;
    const request = this.#pick(open);
    const { process, step, attempt } = request;
    const isLive = process.attempt === attempt;
    const dice = this.#random();
    if (dice < 0.1 && step.do === 'write' && isLive) {
      return this.#event(process, { type: 'silent', stamp: step.write.stamp });
    }
    if (dice < 0.2 || request.answer === null) {
      if (request.answer === null && dice < 0.8) return;
      request.replied = true;
      this.#tell(`${process.name} gives up on its ${step.do}`);
      if (isLive) this.#answered(process, step, { kind: 'unknown' });
      return;
    }
    request.replied = true;
    this.#tell(
      `${process.name} hears the answer to its ${step.do}: ${request.answer.verdict.kind}`,
    );
    if (request.answer.news) this.#learn(process, request.answer.news);
    if (isLive) this.#answered(process, step, request.answer.verdict);
  }

  #answered(process: Process, step: Doing, verdict: Verdict): void {
    if (step.do === 'write') {
      this.#event(process, { type: 'settled', stamp: step.write.stamp, verdict });
    } else {
      this.#event(process, { type: 'answered', request: step.do, verdict });
    }
  }

  /** The watch delivers: the next change, one from long ago again, or it skips some. */
  #hear(process: Process): void {
    if (this.#history.length === 0) return;
    const dice = this.#random();
    if (dice < 0.1) process.heard = Math.floor(this.#random() * this.#history.length);
    const change = this.#history[process.heard];
    if (change === undefined) {
      return this.#event(process, { type: 'watch', live: dice < 0.8, gap: dice > 0.7 });
    }
    process.heard += 1;
    this.#tell(`${process.name} hears of version ${change.version}`);
    this.#learn(
      process,
      change.lease === null
        ? { kind: 'absent', version: change.version, asked: null }
        : { kind: 'present', lease: change.lease, asked: null },
    );
  }

  #learn(process: Process, news: News): void {
    const sight = observe(process.sight, news, this.#now);
    if (sight === process.sight) return;
    process.sight = sight;
    const holdOffMs = this.#random() < 0.5 ? 0 : 20;
    this.#event(process, { type: 'news', sight, holdOffMs });
  }

  #stop(process: Process): void {
    const { kind } = process.state;
    if (kind !== 'holding' && kind !== 'seeking') return;
    this.#tell(`${process.name} stops`);
    this.#event(process, { type: 'stop' });
  }

  #meddle(): void {
    const lease = this.#lease;
    if (lease === null) return;
    const dice = this.#random();
    this.#version += 1n;
    this.#tell(`an outsider meddles`);
    if (dice < 0.4) return this.#put({ ...lease, version: this.#version });
    this.#outsiderAt = this.#now;
    if (dice < 0.7) return this.#remove();
    const record = { ...lease.record, holder: dice < 0.85 ? '' : 'foreign', renewTime: this.#now };
    this.#put({ ...leaseWith({ record, mark: null }, this.#version), uid: lease.uid });
  }

  #event(process: Process, event: Event): void {
    if (process.state.kind !== 'over') {
      const before = process.state;
      process.state = advance(before, event, this.#instant, process.terms);
      this.#note(process, before, process.state);
    }
    this.#pump(process);
  }

  #note(process: Process, before: State, after: State): void {
    if (before.kind === after.kind) return;
    this.#tell(`${process.name}: ${before.kind} -> ${after.kind}`);
    if (after.kind === 'holding') {
      this.acquisitions += 1;
      if (!isHeld(after, this.#instant)) this.violations.push(`${process.name} wins too late`);
    }
    if (after.kind !== 'over') return;
    if (after.end.how === 'lost') this.losses += 1;
    if (after.end.how === 'released') this.releases += 1;
  }

  #pump(process: Process): void {
    for (let guard = 0; guard < 20; guard++) {
      if (process.state.kind === 'over') this.#again(process);
      const step = nextStep(process.state, this.#instant, process.terms);
      if (step.do === 'wait') return;
      if (step.do === 'end' || step.do === 'fail' || step.do === 'yield') {
        this.violations.push(`${process.name} is told to ${step.do}`);
        return;
      }
      this.#begin(process, step);
    }
    this.violations.push(`${process.name} begins without end`);
  }

  #begin(process: Process, step: Doing): void {
    const now = this.#instant;
    process.state = advance(process.state, { type: 'begun', step }, now, process.terms);
    if (process.state.kind === 'over') return;
    const { attempt, sight } = process;
    const answer = { handled: false, answer: null, replied: false };
    this.#requests.push({ process, attempt, step, asked: sight.serial, ...answer });
    if (step.do !== 'write') return;
    this.#tell(`${process.name} sends ${step.write.intent} onto ${step.write.base}`);
    const event = { type: 'sent', stamp: step.write.stamp } as const;
    process.state = advance(process.state, event, now, process.terms);
  }

  /** A new attempt with a new nonce, as the next `acquire` of the process. */
  #again(process: Process): void {
    process.attempt += 1;
    const { name, attempt } = process;
    process.terms = terms(`${name}.${attempt}`, { identity: name });
    process.state = seek(process.sight, this.#instant, 0);
    this.#requests = this.#requests.filter((one) => !one.handled || !one.replied);
  }

  #check(): void {
    const believers = this.#processes.filter((one) => isHeld(one.state, this.#instant));
    for (const one of this.#processes) this.#checkTerm(one, believers.includes(one));
    if (believers.length < 2) return;
    // What an outsider wrote may cost an overlap until the belief that it cut short has ended.
    const sinceOutsider = this.#now - this.#outsiderAt;
    if (sinceOutsider <= 13_000) return;
    this.violations.push(`two believers: ${believers.map((one) => one.name).join(', ')}`);
  }

  /** A term that was over once does not come back, and nobody believes against what he knows. */
  #checkTerm(process: Process, isBelieving: boolean): void {
    const term = `${process.name}.${process.attempt}`;
    if (!isBelieving && this.#believed.has(term)) this.#ended.add(term);
    if (!isBelieving) return;
    this.#believed.add(term);
    if (this.#ended.has(term)) this.violations.push(`${term} was resurrected`);
    const { sight } = process;
    const isOurs = sight.kind === 'present' && sight.lease.mark?.nonce === process.terms.nonce;
    if (!isOurs) this.violations.push(`${term} believes against its own sight`);
  }

  #show(): string {
    const lease = this.#lease;
    return lease === null ? 'absent' : `${lease.version} ${lease.record.holder || 'vacant'}`;
  }

  #tell(what: string): void {
    this.story.push(`${this.#now}: ${what}`);
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }
}
