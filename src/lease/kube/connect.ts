import { NoClusterConfigError } from '../../errors.js';
import type { SyncWarning } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { Connection } from '../store.js';
import { defaultNamespace, loadKubeConfig } from './config.js';
import type { KubeConfigLike } from './config.js';
import { Endpoint } from './endpoint.js';
import type { Door } from './endpoint.js';
import { KubeEventRecorder } from './event-recorder.js';
import type { HttpWire } from './http-wire.js';
import { NodeWire } from './node-wire.js';
import { simulationOf } from './simulation.js';
import { KubeLeaseStore } from './store.js';
import { Transport } from './transport.js';
import { KubeLeaseWatch } from './watch.js';

export type { KubeConfigLike } from './config.js';

export interface ConnectOptions {
  /** Default: the kubeconfig of the environment, else the service account of the pod. */
  readonly kubeConfig?: KubeConfigLike | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly warn: (warning: SyncWarning) => void;
}

/** An API server: its address, the credentials for it, and the network between. */
export interface Route {
  readonly endpoint: Door;
  readonly wire: HttpWire;
  readonly namespace: string;
}

/**
 * Opens nothing yet: the first request does.
 * @throws NoClusterConfigError
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const config = options.kubeConfig ?? (await loadKubeConfig());
  const endpoint = endpointOf(config, options.clock);
  const wire = simulationOf(config)?.wire ?? new NodeWire(endpoint.server, options.clock);
  return connectThrough({ endpoint, wire, namespace: defaultNamespace(config) }, options);
}

/** @throws NoClusterConfigError when the current context names no server that can be used */
export function endpointOf(config: KubeConfigLike, clock: Clock): Endpoint {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined)
    throw new NoClusterConfigError(['the current context of the kubeConfig']);
  checkAddress(server);
  return new Endpoint(config, server, clock);
}

/** As {@link connect}, by a route that is known already. */
export function connectThrough(
  { endpoint, wire, namespace }: Route,
  { clock, random, warn }: Omit<ConnectOptions, 'kubeConfig'>,
): Connection {
  const watch = new KubeLeaseWatch({ endpoint, wire, clock, random, warn });
  const onSilence = (sentAt: number): void => watch.doubt(sentAt);
  const transport = new Transport({ endpoint, wire, clock, onSilence });
  const events = new KubeEventRecorder({ endpoint, wire, clock });
  return {
    store: new KubeLeaseStore(transport, endpoint.server),
    watch,
    events,
    defaultNamespace: namespace,
    server: endpoint.server,
    holding: (count) => transport.holding(count),
    close() {
      watch.close();
      transport.close();
      events.close();
    },
  };
}

/** Anything else than a whole URL would be guessed at, and credentials would go where the guess leads. */
function checkAddress(server: unknown): void {
  const url = typeof server === 'string' && URL.canParse(server) ? new URL(server) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (isHttp && url.hostname !== '') return;
  const what =
    'the server of the current context, which must be a URL such as https://10.0.0.1:6443';
  throw new NoClusterConfigError([what]);
}
