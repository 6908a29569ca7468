// Requests for Leases by the API server's own count.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster.js';
import type { Json } from '../raw.js';
import { WatchProbe } from './watch-probe.js';
import type { Observation } from './watch-probe.js';

/** By HTTP method, and LIST. Watches are connections, not requests: they are left out. */
export type Counts = Readonly<Record<Method, number>>;
type Method = (typeof METHODS)[number];

export interface Traffic {
  readonly counts: Counts;
  /** Changes of the Leases of the cluster's namespace. */
  readonly changes: readonly Observation[];
  readonly seconds: number;
}

const METHODS = ['GET', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** A server counts when it is through with a request, which is after it has answered. */
const COUNTED_MS = 300;

/**
 * What the API server counts while something happens. Changes that others make on a real cluster in
 * other namespaces, e.g. the API server's own heartbeat, are taken off by what a watch shows of them.
 */
export async function countDuring(
  cluster: Cluster,
  work: () => Promise<unknown>,
): Promise<Traffic> {
  const probe = await WatchProbe.open(cluster);
  try {
    await sleep(COUNTED_MS);
    const before = await count(cluster);
    const [startedAt, first] = [performance.now(), probe.seen.length];
    await work();
    const seconds = (performance.now() - startedAt) / 1000;
    await sleep(COUNTED_MS);
    const after = await count(cluster);
    const seen = probe.seen.slice(first);
    const changes = seen.filter(({ namespace }) => namespace === cluster.namespace);
    const difference = (method: Method): number => after[method] - before[method];
    const counts = byMethod(difference);
    const PUT = counts.PUT - (seen.length - changes.length);
    return { counts: { ...counts, PUT }, changes, seconds };
  } finally {
    probe.close();
  }
}

async function count(cluster: Cluster): Promise<Counts> {
  const { embedded } = cluster;
  if (embedded !== undefined) {
    const { get, list, create, update, patch, delete: remove } = embedded.requests.counts;
    return { GET: get, LIST: list, POST: create, PUT: update, PATCH: patch, DELETE: remove };
  }
  const { status, body } = await cluster.request('GET', '/metrics');
  if (status !== 200) throw new Error(`/metrics: ${status} ${JSON.stringify(body)}`);
  const lines = String((body as Json).text).split('\n');
  return byMethod((method) => sum(lines, method));
}

/** `apiserver_request_total{…,resource="leases",…,verb="PUT",…} 12`, a line for each code and scope. */
function sum(lines: readonly string[], method: Method): number {
  const fitting = lines.filter(
    (line) =>
      line.startsWith('apiserver_request_total{') &&
      line.includes('resource="leases"') &&
      line.includes(`verb="${method}"`),
  );
  return fitting.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

function byMethod(value: (method: Method) => number): Counts {
  return Object.fromEntries(METHODS.map((method) => [method, value(method)])) as Counts;
}
