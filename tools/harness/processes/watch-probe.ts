// What the API server itself says of Leases while a test runs, with the time at which it said so.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster.js';
import type { ApiObject, Json, RawWatch, WatchEvent } from '../raw.js';
import { now } from './time.js';

export interface Observation {
  /** When it came here: a little after it was committed. */
  readonly at: number;
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** What the writer's wall clock showed, in milliseconds since the epoch. */
  readonly acquireTime: number;
  readonly renewTime: number;
  readonly transitions: number;
  /** The resourceVersion. */
  readonly version: bigint;
  readonly isDeleted: boolean;
  /** Of the term annotation, be it valid for this record or left over. */
  readonly token: bigint | null;
  readonly spec: Json;
}

/** How soon it notices that it was closed. */
const LOOK_UP_MS = 500;
/** Far more than a watch takes on any machine. */
const SEEN_LIMIT_MS = 30_000;

/** Notes every change of the Leases of all namespaces, from when it was opened until it is closed. */
export class WatchProbe {
  readonly seen: Observation[] = [];
  readonly #watch: RawWatch;
  readonly #namespace: string;
  #isClosed = false;

  static async open(cluster: Cluster): Promise<WatchProbe> {
    const path = '/apis/coordination.k8s.io/v1/leases';
    const { body } = await cluster.request('GET', path);
    const from = `resourceVersion=${body.metadata.resourceVersion}`;
    const watch = await cluster.watch(`${path}?watch=true&timeoutSeconds=3600&${from}`);
    return new WatchProbe(watch, cluster.namespace);
  }

  /** Opens one for a piece of work, and closes it whatever becomes of that. */
  static async during(cluster: Cluster, work: (probe: WatchProbe) => Promise<void>): Promise<void> {
    const probe = await WatchProbe.open(cluster);
    await work(probe).finally(() => probe.close());
  }

  private constructor(watch: RawWatch, namespace: string) {
    this.#watch = watch;
    this.#namespace = namespace;
    void this.#follow();
  }

  /** Each holder of a Lease once, in order; empty while no process holds it. */
  holders(name: string): string[] {
    const holders = this.of(name).map(({ holder }) => holder);
    return holders.filter((holder, n) => holder !== holders[n - 1]);
  }

  /** The last change by one holder, and the first by the next one, when both are there. */
  takeover(name: string, from: string, to: string): { last: Observation; claim: Observation } {
    const all = this.of(name);
    const claim = all.find((one) => one.holder === to);
    const last = all.findLast(({ holder, version }) => {
      return holder === from && version < (claim?.version ?? 0n);
    });
    if (claim === undefined || last === undefined) throw new Error(`${to} took nothing of ${from}`);
    return { last, claim };
  }

  /** Changes of one Lease in the cluster's own namespace, in order: other tests use the same names. */
  of(name: string): Observation[] {
    return this.seen.filter((one) => one.name === name && one.namespace === this.#namespace);
  }

  /** Waits until what was seen has it. What is committed is seen a little later. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const end = now() + SEEN_LIMIT_MS;
    while (!holds()) {
      if (now() > end) throw new Error(`not seen in ${SEEN_LIMIT_MS} ms: ${what}`);
      await sleep(10);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#watch.close();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const event = await this.#watch.next(LOOK_UP_MS);
      if (event === 'end') return;
      if (event !== 'silent') this.seen.push(observe(event));
    }
  }
}

function observe({ type, object }: WatchEvent): Observation {
  const { metadata, spec = {} }: ApiObject = object;
  return {
    at: now(),
    namespace: String(metadata.namespace),
    name: metadata.name,
    holder: typeof spec.holderIdentity === 'string' ? spec.holderIdentity : '',
    acquireTime: Date.parse(String(spec.acquireTime)),
    renewTime: Date.parse(String(spec.renewTime)),
    transitions: Number(spec.leaseTransitions ?? 0),
    version: BigInt(metadata.resourceVersion),
    isDeleted: type === 'DELETED',
    token: tokenOf((metadata.annotations ?? {}) as Json),
    spec,
  };
}

function tokenOf(annotations: Json): bigint | null {
  const text = annotations['sync.metaparticle.io/term'];
  return typeof text === 'string' ? BigInt((JSON.parse(text) as { token: string }).token) : null;
}
