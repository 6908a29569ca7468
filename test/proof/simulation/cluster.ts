import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diagnosticsChannels, type EventMessage } from '@metaparticle/sync';
import type { OutsiderWrite } from '../../../tools/harness/history/history.js';
import { check } from '../../../tools/harness/history/checker.js';
import { DRAIN_TIMEOUT_MS } from './election-workload.js';
import { Prng } from '../../../tools/harness/random.js';
import { InvariantChecker, holderOf, type Violation } from './invariants.js';
import { SimulatedNode } from './node.js';
import { NAMESPACE, Network } from './network.js';
import { LeaseServerModel } from '../../../src/testing/model.js';
import type { StoreEvent } from '../../../src/testing/store.js';
import type { Action, Fault, Plan, ProcessPlan } from './plan.js';
import { Service } from './service.js';
import { Rival } from './rival.js';
import { Schedule } from './schedule.js';
import type { Context } from './context.js';
import { NetworkFaults } from './network-faults.js';
import { Observer } from './observer.js';

export interface Outcome {
  readonly violation: Violation | null;
  readonly trace: readonly string[];
  /** Of everything that happened and when: equal for equal runs. */
  readonly hash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly counts: ReadonlyMap<string, number>;
  /** The longest that each process waited for its turn. */
  readonly waits: ReadonlyMap<string, number>;
  readonly overlaps: number;
}

export interface RunOptions {
  /** Record the trace. */
  readonly isTraced?: boolean;
  /** Overlaps are counted and are no violations: the clocks differ by more than the margin covers. */
  readonly mayOverlap?: boolean;
}

/** More events than this mean an endless loop. */
const MOST_EVENTS = 2_000_000;
const CLOSES_MS = 8_000;
const POLL_AND_ATTEMPT_MS = 5_250 + 1_000;

/** Runs a plan. Equal plans give equal outcomes. */
export async function run(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const cluster = new Cluster(plan, options);
  return cluster.run();
}

class Cluster implements Context {
  readonly plan: Plan;
  readonly schedule = new Schedule();
  readonly prng: Prng;
  readonly network: Network;
  readonly observer: Observer;
  readonly #options: RunOptions;
  readonly #server: LeaseServerModel;
  readonly #faults: NetworkFaults;
  readonly #invariants: InvariantChecker;
  readonly #outsiders: OutsiderWrite[] = [];
  readonly #services = new Map<string, Service | Rival>();
  readonly #retired: Service[] = [];
  readonly #won = new Set<string>();
  readonly #trace: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly #waits = new Map<string, number>();
  #violation: Violation | null = null;
  #current: SimulatedNode | null = null;
  #incarnations = 0;
  #isCalm = false;
  #isClosing = false;
  #hash = 0;
  #events = 0;

  constructor(plan: Plan, options: RunOptions) {
    this.plan = plan;
    this.#options = options;
    this.prng = new Prng(plan.seed ^ 0x5eed);
    const { leaseDurationMs, marginMs } = plan.timings;
    const count = (what: string): void => this.count(what);
    const violate = (promise: string, what: string): void => this.violate(promise, what);
    const ours = new Set(
      plan.processes.filter(({ kind }) => kind === 'ours').map(({ name }) => name),
    );
    const isOurs = (id: string): boolean => ours.has(id.split('.')[0] ?? '');
    this.#invariants = new InvariantChecker(leaseDurationMs - marginMs, isOurs, violate, count);
    const { schedule, prng } = this;
    this.#server = serverOf(schedule, prng, count, (event) => this.#changed(event));
    const faults = new NetworkFaults(count);
    this.#faults = faults;
    const { wallsAheadMs } = plan;
    const server = this.#server;
    this.network = new Network({ server, schedule, faults, prng, wallsAheadMs, count });
    this.observer = new Observer(schedule, this.#invariants, plan, violate);
  }

  async run(): Promise<Outcome> {
    subscribe(diagnosticsChannels.event, this.#onEvent);
    process.on('unhandledRejection', this.#onRejection).on('warning', this.#onWarning);
    try {
      await this.#live();
      // Node.js looks for unhandled rejections, and isTraced warnings, between two turns of its loop.
      await settled(true);
    } finally {
      unsubscribe(diagnosticsChannels.event, this.#onEvent);
      process.off('unhandledRejection', this.#onRejection).off('warning', this.#onWarning);
    }
    const overlaps = this.#check();
    return {
      ...{ violation: this.#violation, trace: this.#trace, hash: this.#hash >>> 0, overlaps },
      ...{ events: this.#events, virtualMs: this.schedule.now, counts: this.#counts },
      waits: this.#waits,
    };
  }

  log(line: string): void {
    this.#mix(line.length);
    if (this.#options.isTraced === true) {
      this.#trace.push(`${this.schedule.now.toFixed(1).padStart(9)} ${line}`);
    }
  }

  violate(promise: string, what: string): void {
    this.log(`!!! ${promise}: ${what}`);
    this.#violation ??= { promise, what };
  }

  #isViolated(): boolean {
    return this.#violation !== null;
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  readonly waited = (process: string, ms: number, longestMs: number): void => {
    this.#waits.set(process, Math.max(this.#waits.get(process) ?? 0, ms));
    if (ms <= longestMs) return;
    this.violate('turns', `${process} waited for its turn for ${ms.toFixed(0)} ms`);
  };

  async #live(): Promise<void> {
    const { processes, items, lastsMs, seed } = this.plan;
    for (const one of processes) this.#start(one);
    for (const { at, act } of items) this.schedule.at(at, () => this.#perform(act));
    const isThorough = seed % 8 === 0;
    await this.#until(lastsMs, () => false, isThorough);
    if (this.#isViolated() || processes.some(({ kind }) => kind !== 'ours')) return;
    this.schedule.in(0, () => this.#stopFaults());
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
      this.observer.look();
      if (this.#events > MOST_EVENTS) this.violate('quiet', `more than ${MOST_EVENTS} events`);
    }
  }

  #start(plan: ProcessPlan): void {
    this.#incarnations += 1;
    const node = new SimulatedNode(
      plan.name,
      this.#incarnations,
      plan,
      this.schedule,
      this.prng,
      (one, act) => {
        this.#current = one;
        act();
      },
    );
    node.receive(() => {
      const service =
        plan.kind === 'ours' ? new Service(plan, node, this) : new Rival(plan.kind, node, this);
      this.#services.set(plan.name, service);
    });
  }

  #perform(act: Action): void {
    this.log(`-- ${describe(act)}`);
    switch (act.kind) {
      case 'lock':
      case 'election':
      case 'loop':
      case 'step-down': {
        const service = this.#services.get(act.process);
        service?.node.receive(() => service.do(act));
        return;
      }
      case 'close': {
        const service = this.#services.get(act.process);
        if (!(service instanceof Service)) return;
        this.#retired.push(service);
        service.node.receive(() => service.do(act));
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
        this.#services.get(fault.process)?.node.kill();
        return this.#replace(fault.process, fault.downMs);
      case 'stall':
        return this.#services.get(fault.process)?.node.stall(fault.forMs);
      case 'suspend':
        return this.#services.get(fault.process)?.node.suspend(fault.forMs);
      case 'clock step':
        return this.#services.get(fault.process)?.node.stepWall(fault.byMs);
      case 'network':
        return end(this.#faults.open(fault.window));
      case 'outage':
        return end(this.#faults.begin(fault.outage));
      case 'cut':
        return this.network.cut(fault.process, fault.ending);
      case 'ban':
        this.network.bans.add(fault.ban);
        return end(() => this.network.bans.delete(fault.ban));
      case 'trouble':
        this.network.troubles.add(fault.trouble);
        return end(() => this.network.troubles.delete(fault.trouble));
      case 'lost credentials':
        return this.network.loseCredentials(fault.process);
      case 'outsider':
        return this.#editAsOutsider(fault.lock, fault.how);
    }
  }

  #replace(name: string, downMs: number): void {
    const plan = this.plan.processes.find((one) => one.name === name);
    this.#services.delete(name);
    if (plan !== undefined) this.schedule.in(downMs, () => this.#restart(plan));
  }

  #restart(plan: ProcessPlan): void {
    if (!this.#services.has(plan.name)) this.#start(plan);
  }

  #editAsOutsider(lock: string, how: 'delete' | 'overwrite' | 'blank' | 'label'): void {
    const { leases } = this.#server;
    const at = this.schedule.now;
    if (leases.get(NAMESPACE, lock) === undefined) return;
    if (how !== 'label') this.#outsiders.push({ lock, at, what: how });
    this.network.asOutsider(() => {
      if (how === 'delete') return leases.delete(NAMESPACE, lock);
      leases.edit(NAMESPACE, lock, ({ metadata, spec }) => {
        if (how === 'label') metadata.labels = { ...metadata.labels, edited: at.toFixed(0) };
        else spec.holderIdentity = how === 'overwrite' ? 'outsider' : '';
        if (how !== 'label') spec.leaseDurationSeconds = 3;
      });
    });
  }

  #changed({ type, version, object, previous }: StoreEvent): void {
    const { name } = object.metadata;
    const after = type === 'DELETED' ? null : object;
    const { writer } = this.network;
    this.log(`${type} ${name} ${version} by ${writer.by}, holder ${holderOf(after) || 'none'}`);
    this.#invariants.note({ ...writer, name, version, before: previous ?? null, after });
  }

  /** Faults have stopped. */
  #stopFaults(): void {
    this.#isCalm = true;
    this.log('-- faults stop');
    this.#faults.clear();
    this.network.clear();
    for (const plan of this.plan.processes) this.#restart(plan);
    for (const service of this.#ours()) {
      service.node.receive(() => {
        service.windDown();
        for (const lock of this.plan.locks) service.compete(lock, () => void this.#won.add(lock));
      });
    }
  }

  #closeAll(): void {
    this.#isClosing = true;
    for (const { node, close } of this.#ours()) node.receive(close);
  }

  /** The record's duration, the longest gap between polls, an attempt; and work that drains before. */
  #progressMs(): number {
    const { leaseDurationMs } = this.plan.timings;
    return DRAIN_TIMEOUT_MS + 2 * leaseDurationMs * 1.3 + POLL_AND_ATTEMPT_MS;
  }

  #checkProgress(): void {
    const lost = this.plan.locks.filter((lock) => !this.#won.has(lock));
    if (lost.length > 0) {
      this.violate('4', `no process acquired ${lost.join(', ')} within ${this.#progressMs()} ms`);
    }
  }

  #checkEnd(): void {
    if (this.#violation !== null) return;
    for (const { node, pending } of [...this.#ours(), ...this.#retired]) {
      if (node.isDead || pending.size === 0) continue;
      this.violate('settle', `${node.id}: not settled: ${[...pending].join(', ')}`);
    }
  }

  #isQuiet(): boolean {
    return [...this.#ours(), ...this.#retired].every(
      ({ node, pending }) => node.isDead || pending.size === 0,
    );
  }

  #ours(): Service[] {
    return [...this.#services.values()].filter((one) => one instanceof Service);
  }

  #check(): number {
    this.observer.close();
    const { leaseDurationMs, marginMs } = this.plan.timings;
    const { processes } = this.plan;
    const slowest = Math.min(...processes.map(({ rate }) => rate));
    const unseenMs = Math.max(...processes.map((one) => one.unseenMs));
    const beliefMs = leaseDurationMs - Math.max(marginMs, unseenMs) + unseenMs;
    const { beliefs, writes } = this.observer;
    const history = { beliefs, writes, outsiders: this.#outsiders };
    const found = check(history, { beliefMs: beliefMs / slowest });
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
    if (this.#current !== null) this.observer.published(this.#current, message as EventMessage);
  };

  readonly #onRejection = (reason: unknown): void => {
    this.violate('rejection', `nothing handles ${String(reason)}`);
  };

  readonly #onWarning = (warning: Error): void => {
    this.violate('warning', String(warning));
  };
}

function describe(act: Action): string {
  const { kind, ...rest } = act;
  return `${kind} ${JSON.stringify(rest)}`;
}

/** The time that the API server's clock shows when the simulation begins. */
const EPOCH = 1_750_000_000_000;
/** A watch sometimes begins with a state that is a few changes old, since it comes from a cache. */
const STALE_START = 0.2;
const MOST_STALE = 4;

function serverOf(
  schedule: Schedule,
  prng: Prng,
  count: (what: string) => void,
  onChange: (event: StoreEvent) => void,
): LeaseServerModel {
  const clock = {
    wall: () => EPOCH + schedule.now,
    after: (ms: number, callback: () => void) => schedule.in(ms, callback),
  };
  const watchLag = (): number => {
    if (!prng.is(STALE_START)) return 0;
    count('stale watch start');
    return prng.whole(1, MOST_STALE);
  };
  const options = { initialVersion: 100n };
  return new LeaseServerModel(options, { clock, random: prng.next, watchLag }, onChange);
}

/**
 * Resolves once all promise reactions have run: those go before what `nextTick` has in line. With `isThorough`,
 * Node.js also looks for rejections that nothing handles, as it does between any two events.
 */
function settled(isThorough: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isThorough) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}
