// What the API server itself says of Leases while a test runs, with the time at which it said so.
import type { Cluster } from '../cluster.js';
import type { ApiObject, Json, RawWatch, WatchEvent } from '../raw.js';
import { now } from './time.js';

export interface Observation {
  /** When it came here: a little after it was committed. */
  readonly at: number;
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Milliseconds since the epoch. */
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

  private constructor(watch: RawWatch, namespace: string) {
    this.#watch = watch;
    this.#namespace = namespace;
    void this.#follow();
  }

  /** Changes of one Lease in the cluster's own namespace, in order: other tests use the same names. */
  of(name: string): Observation[] {
    return this.seen.filter((one) => one.name === name && one.namespace === this.#namespace);
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
