// One embedded server, and the clients and locks of one test. Made anew for each, so that tests can
// run beside each other and every fault meets only those it is meant for.
import { Lock, LeaseClient } from '@metaparticle/sync';
import type { LeaseClientOptions, LockOptions, SyncWarning } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { LeaseServer, LeaseServerOptions, LeaseSpec } from '@metaparticle/sync/testing';

/** The shortest lease that the rules allow with a renewal a second: belief lasts 3.5 s. */
export const quick = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 } as const;
export const quickBeliefMs = quick.leaseDurationMs - quick.marginMs;

/** Some day in the past, in the form of Kubernetes. */
export const longAgo = '2020-01-01T00:00:00.000000Z';

export class World implements AsyncDisposable {
  readonly api: LeaseServer;
  /** Of the server, also when it is closed. */
  readonly url: string;
  /** What every client of this world was warned of. */
  readonly warnings: SyncWarning[] = [];
  readonly #clients: LeaseClient[] = [];
  #client: LeaseClient | undefined;

  private constructor(api: LeaseServer) {
    this.api = api;
    this.url = api.url;
  }

  static async start(options?: LeaseServerOptions): Promise<World> {
    return new World(await startLeaseServer(options));
  }

  /** A new client, as another process would have one. */
  client(options: LeaseClientOptions = {}): LeaseClient {
    const client = new LeaseClient({
      kubeConfig: this.api.kubeConfig,
      onWarning: (warning) => this.warnings.push(warning),
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** A lock with quick timings, of this world's one shared client unless another is named. */
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

  /** Somebody else's record, fresh from the hand of another elector. */
  occupy(name: string, spec: LeaseSpec = {}): void {
    const now = new Date().toISOString().replace('Z', '000Z');
    const held = { holderIdentity: 'stranger', leaseDurationSeconds: 4, leaseTransitions: 3 };
    const times = { acquireTime: now, renewTime: now };
    this.api.leases.create({ metadata: { name }, spec: { ...held, ...times, ...spec } });
  }

  async closeClients(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.faults.clear();
    this.api.resume();
    await this.closeClients();
    await this.api.close();
  }
}
