import { systemClock } from '../../../../src/lease/clock.js';
import type { RequestOptions } from '../../../../src/lease/store.js';
import { Endpoint } from '../../../../src/lease/kube/endpoint.js';
import { NodeWire } from '../../../../src/lease/kube/node-wire.js';
import { Transport } from '../../../../src/lease/kube/transport.js';
import type { Reply, TransportOptions } from '../../../../src/lease/kube/transport.js';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';

export function now(): number {
  return systemClock.now().monotonic;
}

/** Over real sockets. */
export function routeTo(
  kubeConfig: KubeConfigLike,
  server = kubeConfig.getCurrentCluster()?.server ?? '',
): Pick<TransportOptions, 'endpoint' | 'wire' | 'clock'> {
  const clock = systemClock;
  const endpoint = new Endpoint(kubeConfig, server, clock);
  return { endpoint, wire: new NodeWire(endpoint.server, clock), clock };
}

export function transportTo(
  kubeConfig: KubeConfigLike,
  options: Partial<TransportOptions> = {},
): Transport {
  return new Transport({ ...routeTo(kubeConfig), ...options });
}

/** A request with far limits, unless told otherwise. `inMs` is its deadline from now. */
export function get(
  transport: Transport,
  name: string,
  { inMs = 10_000, ...options }: Partial<RequestOptions> & { readonly inMs?: number } = {},
): Promise<Reply> {
  const call = { method: 'GET', path: `/${name}` } as const;
  return transport.send(call, { deadline: now() + inMs, limitMs: 10_000, ...options });
}

/** What came of it, in a few words. */
export function gistOf(reply: Reply): string {
  if (reply.kind === 'answer') return `${reply.status}`;
  if (reply.kind === 'unknown') return 'unknown';
  return `refused${reply.transient ? ', transient' : ''}`;
}
