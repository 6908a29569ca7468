// One API server of the tests, and the clients and locks of one test. Made for each test, so that every fault meets
// only what it is meant for.
import { Lock, LeaseClient } from '@metaparticle/sync';
import type { LeaseClientOptions, LockOptions, SyncWarning } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type {
  AdvanceOptions,
  BaseLeaseServerOptions,
  LeaseServer,
  BaseLeaseServer,
  LeaseServerOptions,
  LeaseSpec,
  ManualLeaseServer,
} from '@metaparticle/sync/testing';

/** The shortest lease that the rules allow with a renewal a second: belief lasts 3.5 s. */
export const quick = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 } as const;
export const quickBeliefMs = quick.leaseDurationMs - quick.marginMs;
/** How long a lock is held without a renewal: belief, less 50 ms that make up for late timers. */
export const quickHeldMs = quickBeliefMs - 50;

/** A day in the past, in the form of Kubernetes. */
export const longAgo = '2020-01-01T00:00:00.000000Z';

abstract class ClusterBase<Api extends BaseLeaseServer> implements AsyncDisposable {
  readonly api: Api;
  /** What every client of this cluster was warned of. */
  readonly warnings: SyncWarning[] = [];
  readonly #clients: LeaseClient[] = [];
  #client: LeaseClient | undefined;

  constructor(api: Api) {
    this.api = api;
  }

  /** A new client, as another process would have one. */
  client(options: LeaseClientOptions = {}): LeaseClient {
    const client = new LeaseClient({
      kubeConfig: this.api.kubeConfig,
      onWarning: (warning) => {
        // When garbage is collected no clock decides. `dropped-handle.test.ts` has this warning.
        if (warning.code !== 'HANDLE_DROPPED') this.warnings.push(warning);
      },
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** A lock with quick timings, of this cluster's one shared client unless another is named. */
  lock(name: string, options: LockOptions = {}): Lock {
    this.#client ??= this.client({ identity: 'me' });
    return new Lock(name, { client: this.#client, ...quick, ...options });
  }

  /** A lock of the same name in another process. */
  elsewhere(name: string, identity: string, options: LockOptions = {}): Lock {
    return this.lock(name, { client: this.client({ identity }), ...options });
  }

  /** Codes of the warnings, in order. */
  get warned(): readonly string[] {
    return this.warnings.map(({ code }) => code);
  }

  /** The stored spec; throws when there is no such Lease. */
  spec(name: string): LeaseSpec {
    const lease = this.api.leases.get('default', name);
    if (lease === undefined) throw new Error(`no lease ${name}`);
    return lease.spec;
  }

  holder(name: string): string | null | undefined {
    return this.api.leases.get('default', name)?.spec.holderIdentity;
  }

  /** A record that another elector has just written. */
  occupy(name: string, spec: LeaseSpec = {}): void {
    const now = this.date.toISOString().replace('Z', '000Z');
    const held = { holderIdentity: 'stranger', leaseDurationSeconds: 4, leaseTransitions: 3 };
    const times = { acquireTime: now, renewTime: now };
    this.api.leases.create({ metadata: { name }, spec: { ...held, ...times, ...spec } });
  }

  /** Another elector empties the record, as its release would. */
  vacate(name: string): void {
    this.api.leases.edit('default', name, ({ spec }) => void (spec.holderIdentity = ''));
  }

  /** Another elector takes the lease over, as it may once this process was paused for long enough. */
  overtake(name: string, identity = 'other'): void {
    this.api.leases.edit('default', name, ({ spec }) => {
      spec.holderIdentity = identity;
      spec.renewTime = '2031-01-01T00:00:00.000000Z';
    });
  }

  /** What the wall clock of this cluster shows. */
  abstract readonly date: Date;

  async closeClients(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.faults.clear();
    this.api.resume();
    await this.passing(this.closeClients());
    await this.api.close();
  }

  /** Awaits what may need time to pass. */
  protected abstract passing(what: Promise<void>): Promise<void>;
}

/**
 * A cluster on virtual time, in this process: nothing sleeps, requests take no time, and every run is the same. The
 * clock moves only by `advance`, `until` and `settled`.
 */
export class Cluster extends ClusterBase<ManualLeaseServer> {
  static async start(
    options: BaseLeaseServerOptions & { readonly seed?: number } = {},
  ): Promise<Cluster> {
    return new Cluster(await startLeaseServer({ ...options, clock: 'manual' }));
  }

  /** Milliseconds of virtual time since the start. */
  get now(): number {
    return this.api.now;
  }

  override get date(): Date {
    return this.api.date;
  }

  /** Lets `ms` pass, with everything that happens meanwhile. */
  advance(ms: number): Promise<void> {
    return this.api.advance(ms);
  }

  /** Lets time pass until the condition holds; fails when it does not within the limit (5 s unless it is given). */
  until(what: string, condition: () => boolean, limitMs = 5_000): Promise<void> {
    return this.api.advanceUntil(condition, { limitMs }).catch((error: unknown) => {
      throw new Error(`${what}: ${String(error)}`);
    });
  }

  /** Lets time pass until the promise has settled, and gives what it came to. */
  settled<T>(promise: Promise<T>, options?: AdvanceOptions): Promise<T> {
    return this.api.advanceUntil(promise, options);
  }

  /** How much virtual time a promise takes to settle, either way. */
  async elapsed(promise: Promise<unknown>): Promise<number> {
    const start = this.now;
    await this.settled(promise.catch(() => undefined));
    return this.now - start;
  }

  protected override passing(what: Promise<void>): Promise<void> {
    return this.settled(what);
  }
}

/** A cluster on real time, over sockets: for what is about those. */
export class SocketCluster extends ClusterBase<LeaseServer> {
  /** Of the server, also when it is closed. */
  readonly url: string;

  static async start(options?: LeaseServerOptions): Promise<SocketCluster> {
    return new SocketCluster(await startLeaseServer(options));
  }

  private constructor(api: LeaseServer) {
    super(api);
    this.url = api.url;
  }

  override get date(): Date {
    return new Date();
  }

  protected override passing(what: Promise<void>): Promise<void> {
    return what;
  }
}
