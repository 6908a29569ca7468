import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { warn } from './callbacks.js';
import { InvalidOptionError, type SyncWarning, type SyncWarningCode } from './errors.js';
import { systemClock } from './lease/clock.js';
import { LeaseHost } from './lease/host.js';
import type { KubeConfigLike } from './lease/kube/config.js';
import { connect } from './lease/kube/connect.js';
import { simulationOf } from './lease/kube/simulation.js';
import type { Outage } from './lease/outages.js';
import type { Overrun } from './lease/overruns.js';
import { checkDuration, checkIdentity, checkNamespace, rejectUnknown } from './options.js';

/** How to reach the cluster, and the defaults of all locks and elections made with the client. */
export interface LeaseClientOptions {
  /**
   * How to reach the cluster: a KubeConfig of @kubernetes/client-node 1.x or 2.x, or anything of that shape.
   * Default: the kubeconfig as `kubectl` finds it, else the service account of the pod.
   */
  readonly kubeConfig?: KubeConfigLike | undefined;
  /** Default for locks and elections. Default: the kubeconfig context's, the service account's, POD_NAMESPACE, `default`. */
  readonly namespace?: string | undefined;
  /** Default for locks and elections. Default: POD_NAME, or the host name and random characters. */
  readonly identity?: string | undefined;
  /** Told once of each matter that works but deserves a look. Default: `process.emitWarning`. */
  readonly onWarning?: ((warning: SyncWarning) => void) | undefined;
}

/** For {@link LeaseClient.check}. */
export interface CheckOptions {
  /** How long work may go on after its lease was lost, milliseconds. @defaultValue 20 000 */
  readonly toleranceMs?: number | undefined;
}

/** What {@link LeaseClient.check} found. */
export interface Health {
  readonly ok: boolean;
  /** What makes it not ok; empty when it is. */
  readonly overruns: readonly Overrun[];
  /**
   * Leases that are waited for or held and have got no usable answer of the API server for more than 5 s. No reason
   * to end the process, so `ok` does not depend on it; `null` when there is none.
   */
  readonly outage: Outage | null;
}

/** As Kubernetes' own controllers have it. */
const TOLERANCE_MS = 20_000;

/** What a client goes by outside of tests. */
const SYSTEM = { clock: systemClock, random: Math.random };

const hosts = new WeakMap<LeaseClient, LeaseHost>();

/**
 * The way to one cluster, shared by all locks and elections of a process: one is the rule.
 *
 * Constructing it does nothing; the configuration is read and the first request made on first use. It need
 * not be closed for the process to exit once nothing is held or waited for.
 */
export class LeaseClient implements AsyncDisposable {
  /** Default namespace given by option; otherwise the cluster configuration says it on first use. */
  readonly namespace: string | undefined;
  /** The name that this process goes by as a holder, unless a lock has its own. */
  readonly identity: string;

  /** @throws InvalidOptionError */
  constructor(options: LeaseClientOptions = {}) {
    rejectUnknown(options, ['kubeConfig', 'namespace', 'identity', 'onWarning']);
    const { kubeConfig, namespace, identity, onWarning } = options;
    if (namespace !== undefined) checkNamespace(namespace);
    if (identity !== undefined) checkIdentity(identity);
    checkKubeConfig(kubeConfig);
    if (onWarning !== undefined && typeof onWarning !== 'function') {
      throw new InvalidOptionError('onWarning', onWarning, 'must be a function');
    }
    this.namespace = namespace;
    this.identity = identity ?? defaultIdentity();
    const tell = once(
      onWarning ??
        ((warning) =>
          process.emitWarning(warning.message, { type: warning.name, code: warning.code })),
    );
    const { clock, random } = simulationOf(kubeConfig) ?? SYSTEM;
    const host = new LeaseHost({
      ...{ clock, random, warn: tell },
      connect: () => connect({ kubeConfig, clock, random, warn: tell }),
    });
    hosts.set(this, host);
  }

  /**
   * Releases everything held and calls off every wait, which rejects with ClosedError. Resolves, within
   * about 5 s, when nothing is left running; never rejects. A lease whose release the server did not
   * confirm by then runs out by itself.
   */
  async close(): Promise<void> {
    await hostOf(this).close();
  }

  /**
   * For a liveness probe: whether some work goes on although its lease was lost more than `toleranceMs` ago. Such
   * work is a leading callback or a function under `withLock` that has not settled; it did not heed its signal,
   * and only an end of the process stops it. (What runs under a handle of `acquire()` is not known here.)
   *
   * Asks the clocks, not the API server. A process that cannot reach it is not healed by a restart, so `outage` is
   * for people, and `ok` does not depend on it. Whether somebody leads or waits says nothing here. (client-go's healthz adaptor, for a leader that does not know
   * its loss; here every holder knows, so what is asked is whether it heeds it.)
   *
   * @throws InvalidOptionError
   */
  check(options: CheckOptions = {}): Health {
    rejectUnknown(options, ['toleranceMs']);
    const { toleranceMs = TOLERANCE_MS } = options;
    checkDuration('toleranceMs', toleranceMs);
    const { overruns: work, outages } = hostOf(this);
    const overruns = work.beyond(toleranceMs);
    return { ok: overruns.length === 0, overruns, outage: outages.current };
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What is behind a client, for locks and elections. */
export function hostOf(client: LeaseClient): LeaseHost {
  const host = hosts.get(client);
  if (host === undefined) {
    throw new InvalidOptionError(
      'client',
      client,
      'must be a LeaseClient of this copy of the package',
    );
  }
  return host;
}

/** A client of a host of one's own: its clock, its way to the API server. */
export function clientOn(host: LeaseHost, options: LeaseClientOptions): LeaseClient {
  const client = new LeaseClient(options);
  hosts.set(client, host);
  return client;
}

let shared: LeaseClient | null = null;

/** The client of all who name none: made on first use, and made anew after it was closed. */
export function defaultClient(): LeaseClient {
  if (shared === null || hostOf(shared).closing.aborted) shared = new LeaseClient();
  return shared;
}

function defaultIdentity(): string {
  const podName = process.env.POD_NAME?.trim();
  if (podName !== undefined && podName !== '') return podName;
  return `${hostname()}_${randomBytes(6).toString('base64url')}`;
}

function checkKubeConfig(kubeConfig: unknown): void {
  if (kubeConfig === undefined) return;
  const { getCurrentCluster, applyToHTTPSOptions } = (kubeConfig ?? {}) as Partial<KubeConfigLike>;
  if (typeof getCurrentCluster === 'function' && typeof applyToHTTPSOptions === 'function') return;
  throw new InvalidOptionError(
    'kubeConfig',
    kubeConfig,
    'must be a KubeConfig of @kubernetes/client-node (loaded), or the kubeConfig of an embedded server',
  );
}

/** A process that holds a thousand locks is told once, not a thousand times an hour. */
const REMEMBERED_WARNINGS = 1_000;

/** Told at each occurrence: the next outage is another matter, whatever its words. */
const RECURRING: ReadonlySet<SyncWarningCode> = new Set(['API_UNREACHABLE', 'API_REACHABLE']);

function once(tell: (warning: SyncWarning) => void): (warning: SyncWarning) => void {
  const told = new Set<string>();
  return (warning) => {
    const matter = `${warning.code} ${warning.message}`;
    if (told.has(matter) && !RECURRING.has(warning.code)) return;
    if (told.size >= REMEMBERED_WARNINGS) told.clear();
    told.add(matter);
    try {
      tell(warning);
    } catch (error) {
      // A fault in the caller's function must not cost him the lock that the warning is about.
      warn(error);
    }
  };
}
