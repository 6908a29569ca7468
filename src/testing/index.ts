/// <reference types="node" preserve="true" />
/**
 * An embedded Lease API server for tests and demos: `coordination.k8s.io/v1` leases, in memory, with faults for
 * everything that goes wrong in clusters. In virtual time, for clients in the process of the test:
 *
 * ```ts
 * const api = await startLeaseServer({ clock: 'manual' });
 * const client = new LeaseClient({ kubeConfig: api.kubeConfig });
 * const working = new Lock('job', { client }).withLock(() => api.sleep(60_000));
 * await api.advanceUntil(working); // a minute, in milliseconds
 * await api.advanceUntil(client.close());
 * await api.close();
 * ```
 *
 * Or in real time over HTTP on a loopback port, for clients of any kind: `await startLeaseServer()`.
 *
 * It behaves as kube-apiserver 1.36 does where clients of Leases can tell: one conformance suite runs on both.
 * What it does **not** imitate:
 * - TLS, client certificates, impersonation; authorization other than the `forbid` knob (every known token may do
 *   everything, requests without one nothing); priority and fairness, rate limits of its own; audit; metrics.
 * - Other resources and paths, discovery, OpenAPI, `kubectl`'s tables. A namespace exists or not; it is no object.
 * - Encodings other than JSON (YAML, protobuf, CBOR), compression, HTTP/2, strategic merge patch, server-side apply.
 * - Deletion of collections, finalizers and graceful deletion (stored, ignored), garbage collection by owner.
 * - `limit` and `continue` (everything comes at once), `resourceVersionMatch=Exact`; a version from the future in a
 *   get or list is refused at once, not after three seconds.
 * - `?timeout=` is parsed, and honored by `hang({ honorTimeout: true })`; requests are never slow by themselves.
 * - Several API servers, etcd, caches: reads are always current, a watch is never behind unless a knob says so.
 * - The wording of some refusals is shorter; codes, reasons, and the fields of causes are the real ones.
 * - `managedFields` has no limit of ten managers, and entries that make no sense are ignored.
 *
 * A manual clock moves the timers of the server and of its clients, and nothing else: not `setTimeout`,
 * `AbortSignal.timeout`, `Date` or sockets of the code under test. It imitates no network: requests take no time unless
 * `faults.delay` says so, and need no connections. Server and clients share one clock; `faults.clockSkew` moves only
 * the times that the server writes.
 */
import { checkOneOf, checkPort } from './check.js';
import { ManualLeaseServer } from './manual-server.js';
import type { ManualLeaseServerOptions } from './manual-server.js';
import { LeaseServer } from './server.js';
import type { LeaseServerOptions } from './server.js';

/**
 * Starts a server on a port. Resolves when it accepts connections, rejects when the port or host is not available.
 * Close it in your test's teardown: it keeps the process alive until then.
 */
export function startLeaseServer(options?: LeaseServerOptions): Promise<LeaseServer>;
/** Starts a server in memory, on a clock that the test moves: `await api.advance(15_000)`. */
export function startLeaseServer(options: ManualLeaseServerOptions): Promise<ManualLeaseServer>;
/** Whichever the options ask for. */
export function startLeaseServer(
  options: LeaseServerOptions | ManualLeaseServerOptions,
): Promise<LeaseServer | ManualLeaseServer>;
export function startLeaseServer(
  options: LeaseServerOptions | ManualLeaseServerOptions = {},
): Promise<LeaseServer | ManualLeaseServer> {
  checkOneOf('clock', options.clock, ['system', 'manual']);
  if (options.clock === 'manual') return Promise.resolve(new ManualLeaseServer(options));
  checkPort(options.port);
  return new LeaseServer(options).listen(options.port ?? 0);
}

export type { AdvanceOptions } from './clock.js';
export type { ManualLeaseServer, ManualLeaseServerOptions } from './manual-server.js';
export type {
  BaseLeaseServer,
  BaseLeaseServerOptions,
  LeaseServer,
  LeaseServerOptions,
} from './server.js';
export type { Faults } from './faults.js';
export type {
  CommitLateOptions,
  DelayOptions,
  ExpireOptions,
  FaultHandle,
  FaultOptions,
  HangOptions,
  StatusOptions,
  WatchFaultOptions,
} from './knobs.js';
export type { StallHandle, StallOptions } from './stall.js';
export type { KubeConfigOptions, TestingKubeConfig } from './kubeconfig.js';
export type { NewLease, Outsider } from './outsider.js';
export type {
  LoggedRequest,
  RequestInfo,
  RequestMatch,
  RequestPattern,
  Requests,
} from './requests.js';
export type {
  FieldsV1,
  LeaseMetadata,
  LeaseObject,
  LeaseSpec,
  ManagedFieldsEntry,
  OwnerReference,
  Verb,
} from './types.js';
