import { isoMicro, parseMicro } from './microtime.js';
import { holderOf } from './ledger.js';
import type { LeaseObject } from './api.js';
import type { Machine } from './machine.js';
import type { RivalKind, Work } from './plan.js';
import { guardedWrite, type Stage } from './stage.js';

const LOCK = 'a';

/** A term's length before it is given back, and the pause before the next. */
const TERM_MS = { least: 2_000, most: 20_000 };

/**
 * An elector as others are written: asks again and again, takes what has run out, renews until it cannot.
 * Which record has run out, and how it is taken, is what they differ in:
 *
 * - `client-go`: when it has not changed for its duration since it was first seen; by compare-and-swap.
 * - `wall-clock`: when its `renewTime` and duration are past on one's own wall clock; by compare-and-swap.
 * - `no-cas`: as client-go, but written onto whatever is there.
 */
export class Rival {
  readonly machine: Machine;
  readonly #kind: RivalKind;
  readonly #stage: Stage;
  #seen = '';
  #seenAt = 0;
  #leadsUntil: number | null = null;
  #token = 0n;

  constructor(kind: RivalKind, machine: Machine, stage: Stage) {
    this.machine = machine;
    this.#kind = kind;
    this.#stage = stage;
    void this.#loop();
  }

  /** It has a will of its own. */
  do(_work: Work): void {
    this.#stage.count('ignored');
  }

  async #loop(): Promise<void> {
    const { machine } = this;
    const { chance } = this.#stage;
    while (!machine.isDead) {
      while (!(await this.#attempt())) await machine.sleep(this.#retryMs * chance.between(1, 2.2));
      await this.#lead(machine.monotonic() + chance.between(TERM_MS.least, TERM_MS.most));
      await machine.sleep(chance.between(0, 5_000));
    }
  }

  async #lead(until: number): Promise<void> {
    const { machine } = this;
    const [token, lock] = [this.#token, LOCK];
    let isOver = false;
    const isHeld = (): boolean => !isOver && machine.monotonic() < (this.#leadsUntil ?? 0);
    this.#stage.count('term');
    this.#stage.tell(`${machine.id} leads ${lock}`);
    this.#stage.witness.watch({
      ...{ machine, lock, token, isHeld, signal: null },
      isGivenBack: () => isOver,
    });
    while (isHeld() && machine.monotonic() < until) {
      guardedWrite(this.#stage, machine.id, lock, token);
      await machine.sleep(this.#retryMs);
      await this.#attempt();
    }
    const mayRelease = isHeld();
    isOver = true;
    this.#leadsUntil = null;
    this.#stage.tell(`${machine.id} stops leading ${lock}`);
    if (mayRelease) await this.#release();
  }

  /** As its own defaults have it: 15, 10 and 2 seconds. */
  get #retryMs(): number {
    return (this.#stage.plan.timings.leaseDurationMs * 2) / 15;
  }

  async #attempt(): Promise<boolean> {
    const { machine } = this;
    const isLeading = this.#leadsUntil !== null;
    const lease = await this.#read();
    if (lease === undefined) return false;
    if (lease === null) return this.#put(null);
    const seen = JSON.stringify(lease.spec);
    if (seen !== this.#seen) [this.#seen, this.#seenAt] = [seen, machine.monotonic()];
    const holder = holderOf(lease);
    if (holder === machine.name ? !isLeading && !this.#hasRunOut(lease) : holder !== '') {
      if (isLeading) this.#leadsUntil = 0;
      if (!this.#hasRunOut(lease)) return false;
    }
    return this.#put(lease);
  }

  #hasRunOut({ spec }: LeaseObject): boolean {
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1_000;
    if (this.#kind !== 'wall-clock') return this.#seenAt + durationMs < this.machine.monotonic();
    return parseMicro(spec.renewTime ?? '') + durationMs < this.machine.now().wall;
  }

  /** `undefined` when nothing is known. */
  async #read(): Promise<LeaseObject | null | undefined> {
    const answer = await this.#stage.network.request(this.machine, 'GET', LOCK);
    if (answer?.status === 404) return null;
    return answer?.status === 200 ? (JSON.parse(answer.body) as LeaseObject) : undefined;
  }

  async #put(lease: LeaseObject | null): Promise<boolean> {
    const { machine } = this;
    const isMine = lease !== null && holderOf(lease) === machine.name;
    const now = isoMicro(machine.now().wall);
    const { leaseDurationMs } = this.#stage.plan.timings;
    const spec = {
      holderIdentity: machine.name,
      leaseDurationSeconds: leaseDurationMs / 1_000,
      acquireTime: isMine ? (lease.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (lease?.spec.leaseTransitions ?? 0) + (isMine ? 0 : 1),
    };
    if (!(await this.#write(lease, spec))) return false;
    // A term is over when its deadline passes, whatever lands after it.
    if (this.#leadsUntil !== null && machine.monotonic() >= this.#leadsUntil) return false;
    this.#leadsUntil = machine.monotonic() + (leaseDurationMs * 2) / 3;
    return true;
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease == null || holderOf(lease) !== this.machine.name) return;
    const now = isoMicro(this.machine.now().wall);
    const times = { acquireTime: now, renewTime: now };
    await this.#write(lease, {
      ...lease.spec,
      ...times,
      holderIdentity: '',
      leaseDurationSeconds: 1,
    });
  }

  async #write(lease: LeaseObject | null, spec: LeaseObject['spec']): Promise<boolean> {
    const { network } = this.#stage;
    const name = LOCK;
    const { uid, resourceVersion } = lease?.metadata ?? {};
    const which = this.#kind === 'no-cas' ? {} : { uid, resourceVersion };
    const body = { metadata: { name, ...(lease === null ? {} : which) }, spec };
    const method = lease === null ? 'POST' : 'PUT';
    const answer = await network.request(this.machine, method, name, body);
    if (answer === null || answer.status > 201) return false;
    const written = JSON.parse(answer.body) as LeaseObject;
    this.#token = BigInt(written.metadata.resourceVersion);
    [this.#seen, this.#seenAt] = [JSON.stringify(written.spec), this.machine.monotonic()];
    return true;
  }
}
