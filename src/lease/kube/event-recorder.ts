import createDebug from 'debug';
import type { Clock } from '../clock.js';
import { keyOf } from '../record.js';
import type { EventRecorder, Remark } from '../store.js';
import { Transport } from './transport.js';
import type { TransportOptions } from './transport.js';

const debug = createDebug('metaparticle:sync:events');

/** It is told while it is news, or not at all: so long it may be queued, and so long be answered. */
const LIMIT_MS = 1_000;

/**
 * Kubernetes Events about Leases, as client-go's electors write them. They leave by connections of their own: a
 * server that is in trouble with Events must not slow down a renewal.
 */
export class KubeEventRecorder implements EventRecorder {
  readonly #clock: Clock;
  readonly #transport: Transport;

  constructor(options: Pick<TransportOptions, 'endpoint' | 'wire' | 'clock'>) {
    this.#clock = options.clock;
    this.#transport = new Transport(options);
  }

  async record(remark: Remark): Promise<void> {
    const { monotonic, wall } = this.#clock.now();
    const namespace = encodeURIComponent(remark.key.namespace);
    const path = `/api/v1/namespaces/${namespace}/events`;
    const body = JSON.stringify(encodeEvent(remark, new Date(wall).toISOString()));
    const limits = { deadline: monotonic + LIMIT_MS, limitMs: LIMIT_MS };
    const reply = await this.#transport.send({ method: 'POST', path, body }, limits);
    const outcome = reply.kind === 'answer' ? String(reply.status) : reply.error.message;
    debug('%s: %s: %s', keyOf(remark.key), remark.message, outcome);
  }

  close(): void {
    this.#transport.close();
  }
}

function encodeEvent({ key, uid, identity, message }: Remark, time: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: key.namespace, generateName: `${key.name}.` },
    involvedObject: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...key, uid },
    type: 'Normal',
    reason: 'LeaderElection',
    message,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: identity },
    reportingComponent: 'metaparticle-sync',
    reportingInstance: identity,
  };
}
