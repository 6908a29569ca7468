import { holderOf } from './invariants.js';
import type { LeaseObject } from '../../../src/testing/types.js';
import type { SimulatedNode } from './node.js';
import type { RivalKind, Work } from './plan.js';
import { guardedWrite, type Context } from './context.js';

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
  readonly node: SimulatedNode;
  readonly #kind: RivalKind;
  readonly #context: Context;
  #seen = '';
  #seenAt = 0;
  #leadsUntil: number | null = null;
  #token = 0n;

  constructor(kind: RivalKind, node: SimulatedNode, context: Context) {
    this.node = node;
    this.#kind = kind;
    this.#context = context;
    void this.#loop();
  }

  /** It has a will of its own. */
  do(_work: Work): void {
    this.#context.count('ignored');
  }

  async #loop(): Promise<void> {
    const { node } = this;
    const { prng } = this.#context;
    while (!node.isDead) {
      while (!(await this.#attempt())) await node.sleep(this.#retryMs * prng.between(1, 2.2));
      await this.#lead(node.monotonic() + prng.between(TERM_MS.least, TERM_MS.most));
      await node.sleep(prng.between(0, 5_000));
    }
  }

  async #lead(until: number): Promise<void> {
    const { node } = this;
    const [token, lock] = [this.#token, LOCK];
    let isOver = false;
    const isHeld = (): boolean => !isOver && node.monotonic() < (this.#leadsUntil ?? 0);
    this.#context.count('term');
    this.#context.log(`${node.id} leads ${lock}`);
    this.#context.observer.watch({
      ...{ node, lock, token, isHeld, signal: null },
      isGivenBack: () => isOver,
    });
    while (isHeld() && node.monotonic() < until) {
      guardedWrite(this.#context, node.id, lock, token);
      await node.sleep(this.#retryMs);
      await this.#attempt();
    }
    const mayRelease = isHeld();
    isOver = true;
    this.#leadsUntil = null;
    this.#context.log(`${node.id} stops leading ${lock}`);
    if (mayRelease) await this.#release();
  }

  /** As its own defaults have it: 15, 10 and 2 seconds. */
  get #retryMs(): number {
    return (this.#context.plan.timings.leaseDurationMs * 2) / 15;
  }

  async #attempt(): Promise<boolean> {
    const { node } = this;
    const isLeading = this.#leadsUntil !== null;
    const lease = await this.#read();
    if (lease === undefined) return false;
    if (lease === null) return this.#put(null);
    const seen = JSON.stringify(lease.spec);
    if (seen !== this.#seen) [this.#seen, this.#seenAt] = [seen, node.monotonic()];
    const holder = holderOf(lease);
    if (holder === node.name ? !isLeading && !this.#hasRunOut(lease) : holder !== '') {
      if (isLeading) this.#leadsUntil = 0;
      if (!this.#hasRunOut(lease)) return false;
    }
    return this.#put(lease);
  }

  #hasRunOut({ spec }: LeaseObject): boolean {
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1_000;
    if (this.#kind !== 'wall-clock') return this.#seenAt + durationMs < this.node.monotonic();
    return Date.parse(spec.renewTime ?? '') + durationMs < this.node.now().wall;
  }

  /** `undefined` when nothing is known. */
  async #read(): Promise<LeaseObject | null | undefined> {
    const answer = await this.#context.network.request(this.node, 'GET', LOCK);
    if (answer?.status === 404) return null;
    return answer?.status === 200 ? (JSON.parse(answer.body) as LeaseObject) : undefined;
  }

  async #put(lease: LeaseObject | null): Promise<boolean> {
    const { node } = this;
    const isMine = lease !== null && holderOf(lease) === node.name;
    const now = isoMicro(node.now().wall);
    const { leaseDurationMs } = this.#context.plan.timings;
    const spec = {
      holderIdentity: node.name,
      leaseDurationSeconds: leaseDurationMs / 1_000,
      acquireTime: isMine ? (lease.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (lease?.spec.leaseTransitions ?? 0) + (isMine ? 0 : 1),
    };
    if (!(await this.#write(lease, spec))) return false;
    // A term is over when its deadline passes, whatever lands after it.
    if (this.#leadsUntil !== null && node.monotonic() >= this.#leadsUntil) return false;
    this.#leadsUntil = node.monotonic() + (leaseDurationMs * 2) / 3;
    return true;
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease == null || holderOf(lease) !== this.node.name) return;
    const now = isoMicro(this.node.now().wall);
    const times = { acquireTime: now, renewTime: now };
    await this.#write(lease, {
      ...lease.spec,
      ...times,
      holderIdentity: '',
      leaseDurationSeconds: 1,
    });
  }

  async #write(lease: LeaseObject | null, spec: LeaseObject['spec']): Promise<boolean> {
    const { network } = this.#context;
    const name = LOCK;
    // A patch without a version is what replaces whatever is stored: an update must name one.
    const method = lease === null ? 'POST' : this.#kind === 'no-cas' ? 'PATCH' : 'PUT';
    const { uid, resourceVersion } = lease?.metadata ?? {};
    const body = { metadata: method === 'PUT' ? { name, uid, resourceVersion } : { name }, spec };
    const answer = await network.request(this.node, method, name, body);
    if (answer === null || answer.status > 201) return false;
    const written = JSON.parse(answer.body) as LeaseObject;
    this.#token = BigInt(written.metadata.resourceVersion);
    [this.#seen, this.#seenAt] = [JSON.stringify(written.spec), this.node.monotonic()];
    return true;
  }
}

/** Kubernetes' MicroTime. */
function isoMicro(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}
