// What the API server itself says of Leases while a test runs, with the time at which it said so.
import type { Cluster } from '../cluster.js';
import type { ApiObject, RawWatch } from '../raw.js';
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
}

/** How soon it notices that it was closed. */
const LOOK_UP_MS = 500;

/** Notes every change of the Leases of all namespaces, from when it was opened until it is closed. */
export class Observer {
  readonly seen: Observation[] = [];
  readonly #watch: RawWatch;
  #isClosed = false;

  static async open(cluster: Cluster): Promise<Observer> {
    const path = '/apis/coordination.k8s.io/v1/leases';
    const { body } = await cluster.request('GET', path);
    const from = `resourceVersion=${body.metadata.resourceVersion}`;
    return new Observer(await cluster.watch(`${path}?watch=true&timeoutSeconds=3600&${from}`));
  }

  private constructor(watch: RawWatch) {
    this.#watch = watch;
    void this.#follow();
  }

  /** Changes of one Lease, in order. */
  of(name: string): Observation[] {
    return this.seen.filter((one) => one.name === name);
  }

  close(): void {
    this.#isClosed = true;
    this.#watch.close();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const event = await this.#watch.next(LOOK_UP_MS);
      if (event === 'end') return;
      if (event !== 'silent') this.seen.push(observe(event.object));
    }
  }
}

function observe({ metadata, spec = {} }: ApiObject): Observation {
  return {
    at: now(),
    namespace: String(metadata.namespace),
    name: metadata.name,
    holder: typeof spec.holderIdentity === 'string' ? spec.holderIdentity : '',
    renewTime: Date.parse(String(spec.renewTime)),
    transitions: Number(spec.leaseTransitions ?? 0),
  };
}
