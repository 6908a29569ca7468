import type { Clock } from '../../../../src/lease/clock.js';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';
import { Endpoint } from '../../../../src/lease/kube/endpoint.js';
import type { HttpWire } from '../../../../src/lease/kube/http-wire.js';
import { Transport } from '../../../../src/lease/kube/transport.js';
import type { Call, Reply, TransportOptions } from '../../../../src/lease/kube/transport.js';
import type { RequestOptions } from '../../../../src/lease/store.js';
import { kubeConfigOf } from './kube-config.js';

/** Limits of one request; `inMs` is its deadline from now. */
export type Limits = Partial<RequestOptions> & { readonly inMs?: number };

/** A transport, and requests through it with limits that are far away unless the test says otherwise. */
export class Sender {
  readonly transport: Transport;
  readonly #clock: Clock;

  constructor(
    clock: Clock,
    wire: HttpWire,
    kubeConfig: KubeConfigLike = kubeConfigOf(),
    options: Pick<TransportOptions, 'onSilence'> = {},
  ) {
    this.#clock = clock;
    const server = kubeConfig.getCurrentCluster()?.server ?? '';
    const endpoint = new Endpoint(kubeConfig, server, clock);
    this.transport = new Transport({ endpoint, wire, clock, ...options });
  }

  send(call: Call, { inMs = 10_000, ...options }: Limits = {}): Promise<Reply> {
    const deadline = this.#clock.monotonic() + inMs;
    return this.transport.send(call, { deadline, limitMs: 10_000, ...options });
  }

  get(name: string, limits?: Limits): Promise<Reply> {
    return this.send({ method: 'GET', path: `/${name}` }, limits);
  }

  close(): void {
    this.transport.close();
  }
}

/** The reply in a few words. */
export function gistOf(reply: Reply): string {
  if (reply.kind === 'answer') return `${reply.status}`;
  if (reply.kind === 'unknown') return 'unknown';
  return `refused${reply.transient ? ', transient' : ''}`;
}
