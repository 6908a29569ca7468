import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diagnosticsChannels, type EventMessage } from '@metaparticle/sync';
import type { OutsiderWrite } from '../../../tools/harness/history/history.js';
import { check } from '../../../tools/harness/history/checker.js';
import { Api, type Change, type LeaseObject } from './api.js';
import { DRAIN_TIMEOUT_MS } from './campaign.js';
import { Prng } from '../../../tools/harness/random.js';
import { borrowGlobals, settled } from './globals.js';
import { Ledger, holderOf, type Violation } from './ledger.js';
import { Machine } from './machine.js';
import { Network } from './network.js';
import type { Act, Fault, Plan, ProcessPlan } from './plan.js';
import { Program } from './program.js';
import { Rival } from './rival.js';
import { Schedule } from './schedule.js';
import type { Stage } from './stage.js';
import { Weather } from './weather.js';
import { Witness } from './witness.js';

export interface Outcome {
  readonly violation: Violation | null;
  readonly story: readonly string[];
  /** Of everything that happened and when: equal for equal runs. */
  readonly hash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly overlaps: number;
}

export interface RunOptions {
  /** Take down the story. */
  readonly tells?: boolean;
  /** Overlaps are counted, not held against it: clocks are off by more than was covered. */
  readonly mayOverlap?: boolean;
}

/** Something goes round in circles when more happens than this. */
const MOST_EVENTS = 400_000;
const CLOSES_MS = 8_000;
const POLL_AND_ATTEMPT_MS = 5_250 + 1_000;

/** Runs a plan. Equal plans give equal outcomes. */
export async function run(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const world = new World(plan, options);
  return world.run();
}

class World implements Stage {
  readonly plan: Plan;
  readonly schedule = new Schedule();
  readonly chance: Prng;
  readonly network: Network;
  readonly witness: Witness;
  readonly #options: RunOptions;
  readonly #api: Api;
  readonly #weather: Weather;
  readonly #ledger: Ledger;
  readonly #outsiders: OutsiderWrite[] = [];
  readonly #programs = new Map<string, Program | Rival>();
  readonly #retired: Program[] = [];
  readonly #won = new Set<string>();
  readonly #story: string[] = [];
  readonly #counts = new Map<string, number>();
  #violation: Violation | null = null;
  #current: Machine | null = null;
  #incarnations = 0;
  #isCalm = false;
  #isClosing = false;
  #hash = 0;
  #events = 0;

  constructor(plan: Plan, options: RunOptions) {
    this.plan = plan;
    this.#options = options;
    this.chance = new Prng(plan.seed ^ 0x5eed);
    const { leaseDurationMs, marginMs } = plan.timings;
    const count = (what: string): void => this.count(what);
    const violate = (promise: string, what: string): void => this.violate(promise, what);
    const ours = new Set(
      plan.processes.filter(({ kind }) => kind === 'ours').map(({ name }) => name),
    );
    const isOurs = (id: string): boolean => ours.has(id.split('.')[0] ?? '');
    this.#ledger = new Ledger(leaseDurationMs - marginMs, isOurs, violate, count);
    this.#api = new Api((change) => this.#changed(change));
    this.#weather = new Weather(count);
    const { schedule, chance } = this;
    const walls = plan.wallsAheadMs;
    this.network = new Network(schedule, this.#api, this.#weather, chance, walls, count);
    this.witness = new Witness(schedule, this.#ledger, plan, violate);
  }

  async run(): Promise<Outcome> {
    const giveBack = borrowGlobals({
      random: this.chance.next,
      current: () => this.#current,
    });
    subscribe(diagnosticsChannels.event, this.#onEvent);
    process.on('unhandledRejection', this.#onRejection).on('warning', this.#onWarning);
    try {
      await this.#live();
      // Node.js looks for unhandled rejections, and tells warnings, between two turns of its loop.
      await settled(true);
    } finally {
      giveBack();
      unsubscribe(diagnosticsChannels.event, this.#onEvent);
      process.off('unhandledRejection', this.#onRejection).off('warning', this.#onWarning);
    }
    const overlaps = this.#judge();
    return {
      ...{ violation: this.#violation, story: this.#story, hash: this.#hash >>> 0, overlaps },
      ...{ events: this.#events, virtualMs: this.schedule.now, counts: this.#counts },
    };
  }

  tell(line: string): void {
    this.#mix(line.length);
    if (this.#options.tells === true) {
      this.#story.push(`${this.schedule.now.toFixed(1).padStart(9)} ${line}`);
    }
  }

  violate(promise: string, what: string): void {
    this.tell(`!!! ${promise}: ${what}`);
    this.#violation ??= { promise, what };
  }

  #isViolated(): boolean {
    return this.#violation !== null;
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  async #live(): Promise<void> {
    const { processes, items, lastsMs, seed } = this.plan;
    for (const one of processes) this.#start(one);
    for (const { at, act } of items) this.schedule.at(at, () => this.#do(act));
    const isThorough = seed % 8 === 0;
    await this.#until(lastsMs, () => false, isThorough);
    if (this.#isViolated() || processes.some(({ kind }) => kind !== 'ours')) return;
    this.schedule.in(0, () => this.#calm());
    await this.#until(
      lastsMs + this.#progressMs(),
      () => this.#isCalm && this.#isQuiet(),
      isThorough,
    );
    this.#checkProgress();
    if (this.#isViolated()) return;
    this.schedule.in(0, () => this.#closeAll());
    const end = this.schedule.now + CLOSES_MS;
    await this.#until(end, () => this.#isClosing && this.#isQuiet(), isThorough);
    this.#checkEnd();
  }

  async #until(end: number, isDone: () => boolean, isThorough: boolean): Promise<void> {
    while (this.#violation === null && !isDone() && this.schedule.step(end)) {
      await settled(isThorough);
      this.#current = null;
      this.#events += 1;
      this.#mix(this.schedule.now * 1_000);
      this.witness.look();
      if (this.#events > MOST_EVENTS) this.violate('quiet', `more than ${MOST_EVENTS} events`);
    }
  }

  #start(plan: ProcessPlan): void {
    this.#incarnations += 1;
    const machine = new Machine(
      plan.name,
      this.#incarnations,
      plan,
      this.schedule,
      this.chance,
      (one, act) => {
        this.#current = one;
        act();
      },
    );
    machine.receive(() => {
      const program =
        plan.kind === 'ours'
          ? new Program(plan, machine, this)
          : new Rival(plan.kind, machine, this);
      this.#programs.set(plan.name, program);
    });
  }

  #do(act: Act): void {
    this.tell(`-- ${describe(act)}`);
    switch (act.kind) {
      case 'lock':
      case 'campaign':
      case 'step-down': {
        const program = this.#programs.get(act.process);
        program?.machine.receive(() => program.do(act));
        return;
      }
      case 'close': {
        const program = this.#programs.get(act.process);
        if (!(program instanceof Program)) return;
        this.#retired.push(program);
        program.machine.receive(() => program.do(act));
        return this.#replace(act.process, act.downMs);
      }
      default:
        this.count(act.kind === 'outage' ? `outage ${act.outage}` : act.kind);
        return this.#fault(act);
    }
  }

  #fault(fault: Fault): void {
    const end = (act: () => void): void => {
      if ('forMs' in fault) this.schedule.in(fault.forMs, act);
    };
    switch (fault.kind) {
      case 'crash':
        this.#programs.get(fault.process)?.machine.kill();
        return this.#replace(fault.process, fault.downMs);
      case 'stall':
        return this.#programs.get(fault.process)?.machine.stall(fault.forMs);
      case 'suspend':
        return this.#programs.get(fault.process)?.machine.suspend(fault.forMs);
      case 'wall':
        return this.#programs.get(fault.process)?.machine.stepWall(fault.byMs);
      case 'weather':
        return end(this.#weather.open(fault.window));
      case 'outage':
        return end(this.#weather.begin(fault.outage));
      case 'cut':
        return this.network.cut(fault.process, fault.ending);
      case 'ban':
        this.network.bans.add(fault.ban);
        return end(() => this.network.bans.delete(fault.ban));
      case 'outsider':
        return this.#meddle(fault.lock, fault.how);
    }
  }

  #replace(name: string, downMs: number): void {
    const plan = this.plan.processes.find((one) => one.name === name);
    this.#programs.delete(name);
    if (plan !== undefined) this.schedule.in(downMs, () => this.#restart(plan));
  }

  #restart(plan: ProcessPlan): void {
    if (!this.#programs.has(plan.name)) this.#start(plan);
  }

  #meddle(lock: string, how: 'delete' | 'overwrite' | 'blank' | 'label'): void {
    const at = this.schedule.now;
    const edits: Record<typeof how, (lease: LeaseObject) => LeaseObject | null> = {
      delete: () => null,
      overwrite: (lease) => foreign(lease, 'outsider'),
      blank: (lease) => foreign(lease, ''),
      label: ({ metadata, spec }) => {
        const labels = { ...metadata.labels, edited: at.toFixed(0) };
        return { metadata: { ...metadata, labels }, spec };
      },
    };
    if (this.#api.get(lock) === null) return;
    if (how !== 'label') this.#outsiders.push({ lock, at, what: how });
    this.#api.force(lock, 'outsider', edits[how]);
  }

  #changed(change: Change): void {
    const { type, name, version, by, after } = change;
    this.tell(`${type} ${name} ${version} by ${by}, holder ${holderOf(after) || 'nobody'}`);
    this.#ledger.note(change);
    this.network.told(change.line, name);
  }

  /** Faults have stopped. */
  #calm(): void {
    this.#isCalm = true;
    this.tell('-- faults stop');
    this.#weather.clear();
    this.network.bans.clear();
    for (const plan of this.plan.processes) this.#restart(plan);
    for (const program of this.#services()) {
      program.machine.receive(() => {
        program.windDown();
        for (const lock of this.plan.locks) program.compete(lock, () => void this.#won.add(lock));
      });
    }
  }

  #closeAll(): void {
    this.#isClosing = true;
    for (const { machine, close } of this.#services()) machine.receive(close);
  }

  /** The record's duration, the longest gap between polls, an attempt; and work that drains before. */
  #progressMs(): number {
    const { leaseDurationMs } = this.plan.timings;
    return DRAIN_TIMEOUT_MS + 2 * leaseDurationMs * 1.3 + POLL_AND_ATTEMPT_MS;
  }

  #checkProgress(): void {
    const lost = this.plan.locks.filter((lock) => !this.#won.has(lock));
    if (lost.length > 0) {
      this.violate('4', `nobody acquired ${lost.join(', ')} within ${this.#progressMs()} ms`);
    }
  }

  #checkEnd(): void {
    if (this.#violation !== null) return;
    for (const { machine, pending } of [...this.#services(), ...this.#retired]) {
      if (machine.isDead || pending.size === 0) continue;
      this.violate('settle', `${machine.id}: not settled: ${[...pending].join(', ')}`);
    }
  }

  #isQuiet(): boolean {
    return [...this.#services(), ...this.#retired].every(
      ({ machine, pending }) => machine.isDead || pending.size === 0,
    );
  }

  #services(): Program[] {
    return [...this.#programs.values()].filter((one) => one instanceof Program);
  }

  #judge(): number {
    this.witness.close();
    const { leaseDurationMs, marginMs } = this.plan.timings;
    const slowest = Math.min(...this.plan.processes.map(({ rate }) => rate));
    const { beliefs, writes } = this.witness;
    const history = { beliefs, writes, outsiders: this.#outsiders };
    const found = check(history, { beliefMs: (leaseDurationMs - marginMs) / slowest });
    const overlaps = found.overlaps.filter(({ excusedBy }) => excusedBy === null);
    if (this.#options.mayOverlap !== true) {
      for (const { what } of overlaps) this.violate('1', what);
      for (const what of found.tokens) this.violate('2', what);
    }
    for (const what of found.register) this.violate('2', what);
    return overlaps.length;
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193) ^ (this.#hash >>> 15);
  }

  readonly #onEvent = (message: unknown): void => {
    if (this.#current !== null) this.witness.published(this.#current, message as EventMessage);
  };

  readonly #onRejection = (reason: unknown): void => {
    this.violate('rejection', `nobody handles ${String(reason)}`);
  };

  readonly #onWarning = (warning: Error): void => {
    this.violate('warning', String(warning));
  };
}

function foreign({ metadata, spec }: LeaseObject, holderIdentity: string): LeaseObject {
  return { metadata, spec: { ...spec, holderIdentity, leaseDurationSeconds: 3 } };
}

function describe(act: Act): string {
  const { kind, ...rest } = act;
  return `${kind} ${JSON.stringify(rest)}`;
}
