import { systemClock } from '../lease/clock.js';
import type { KubeConfigLike } from '../lease/kube/config.js';
import { endpointOf } from '../lease/kube/connect.js';
import type { Endpoint } from '../lease/kube/endpoint.js';
import { failureOf, readStatus } from '../lease/kube/failure.js';
import type { HttpWire } from '../lease/kube/http-wire.js';
import { parseJson } from '../lease/kube/json.js';
import { NodeWire } from '../lease/kube/node-wire.js';
import { isMissing } from '../lease/kube/store.js';
import { StreamOpener, type StreamEnd, type StreamSink } from '../lease/kube/stream.js';
import { Transport, type Answer, type Call } from '../lease/kube/transport.js';

/** Whoever runs a command waits in front of it. */
const LIMIT_MS = 10_000;

/** Requests beside those of locks and elections, by the library's own way to the API server. */
export class Api implements Disposable {
  readonly server: string;
  readonly #endpoint: Endpoint;
  readonly #wire: HttpWire;
  readonly #transport: Transport;

  /** @throws NoClusterConfigError */
  constructor(kubeConfig: KubeConfigLike) {
    const clock = systemClock;
    const endpoint = endpointOf(kubeConfig, clock);
    this.#endpoint = endpoint;
    this.server = endpoint.server;
    this.#wire = new NodeWire(endpoint.server, clock);
    this.#transport = new Transport({ endpoint, wire: this.#wire, clock });
  }

  /**
   * Whatever the server answers.
   * @throws ApiUnreachableError without an answer
   */
  async send(call: Call): Promise<Answer> {
    const deadline = systemClock.monotonic() + LIMIT_MS;
    const letGo = systemClock.keepAlive();
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

  /** One connection of a watch, until it ends or `signal` aborts. */
  follow(path: string, sink: StreamSink, signal: AbortSignal): Promise<StreamEnd> {
    return new StreamOpener(this.#endpoint, this.#wire, systemClock).run(path, sink, signal);
  }

  [Symbol.dispose](): void {
    this.#transport.close();
  }
}
