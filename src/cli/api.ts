import { systemClock, type Clock } from '../lease/clock.js';
import type { KubeConfigLike } from '../lease/kube/config.js';
import { endpointOf } from '../lease/kube/connect.js';
import type { Endpoint } from '../lease/kube/endpoint.js';
import { failureOf, readStatus } from '../lease/kube/failure.js';
import type { HttpWire } from '../lease/kube/http-wire.js';
import { parseJson } from '../lease/kube/json.js';
import { NodeWire } from '../lease/kube/node-wire.js';
import { simulationOf } from '../lease/kube/simulation.js';
import { isMissing } from '../lease/kube/store.js';
import { StreamOpener } from '../lease/kube/stream.js';
import { Transport, type Answer, type Call } from '../lease/kube/transport.js';
import { Watcher, type WatcherListener } from '../lease/kube/watcher.js';

/** Until a watch that is refused is tried again. */
const REFUSED_MS = 60_000;

/** Whoever runs a command waits in front of it. */
const LIMIT_MS = 10_000;

/** Requests beside those of locks and elections, by the library's own way to the API server. */
export class Api implements Disposable {
  readonly server: string;
  readonly clock: Clock;
  readonly #endpoint: Endpoint;
  readonly #wire: HttpWire;
  readonly #transport: Transport;

  /** @throws NoClusterConfigError */
  constructor(kubeConfig: KubeConfigLike) {
    const simulation = simulationOf(kubeConfig);
    const clock = simulation?.clock ?? systemClock;
    const endpoint = endpointOf(kubeConfig, clock);
    this.clock = clock;
    this.#endpoint = endpoint;
    this.server = endpoint.server;
    this.#wire = simulation?.wire ?? new NodeWire(endpoint.server, clock);
    this.#transport = new Transport({ endpoint, wire: this.#wire, clock });
  }

  /**
   * Whatever the server answers.
   * @throws ApiUnreachableError without an answer
   */
  async send(call: Call): Promise<Answer> {
    const deadline = this.clock.monotonic() + LIMIT_MS;
    const letGo = this.clock.keepAlive();
    try {
      const reply = await this.#transport.send(call, { deadline, limitMs: LIMIT_MS });
      if (reply.kind !== 'answer') throw reply.error;
      return reply;
    } finally {
      letGo();
    }
  }

  /**
   * Also the Status of a 404 that is about the very Lease.
   * @throws UnauthorizedError, ForbiddenError, ApiError, ApiUnreachableError
   */
  async get(path: string, namespace: string, verb: 'get' | 'list'): Promise<Answer> {
    const answer = await this.send({ method: 'GET', path });
    if (answer.status === 200 || isMissing(answer)) return answer;
    const question = { verb, namespace: namespace || '(all)', server: this.server };
    throw failureOf(answer.status, readStatus(answer.body), question).error;
  }

  /** A review of one's own rights: `null` when the server does not say. */
  async may(verb: string, namespace: string): Promise<boolean | null> {
    const attributes = { namespace, verb, group: 'coordination.k8s.io', resource: 'leases' };
    const { status, body } = await this.send({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: JSON.stringify({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: attributes },
      }),
    });
    if (status !== 201) return null;
    return (parseJson(body) as { status?: { allowed?: boolean } }).status?.allowed === true;
  }

  /** @param selection path and query of the leases that are watched, until the watcher is closed */
  watch(selection: string, isSingle: boolean, from: bigint, listener: WatcherListener): Watcher {
    const opener = new StreamOpener(this.#endpoint, this.#wire, this.clock);
    const parts = { opener, clock: this.clock, random: Math.random, refusedPauseMs: REFUSED_MS };
    return new Watcher({ ...parts, selection, isSingle, from, listener });
  }

  [Symbol.dispose](): void {
    this.#transport.close();
  }
}
