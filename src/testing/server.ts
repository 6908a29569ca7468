/** The server as its users hold it. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LeaseApi } from './api.js';
import { checkKeys } from './check.js';
import { systemClock } from './clock.js';
import type { ServerClock } from './clock.js';
import { Dispatcher } from './dispatcher.js';
import { Faults } from './faults.js';
import { httpServer } from './http-server.js';
import type { KubeConfigOptions, TestingKubeConfig } from './kubeconfig.js';
import { makeKubeConfig, makeKubeConfigYaml } from './kubeconfig.js';
import { Namespaces } from './namespaces.js';
import { Outsider } from './outsider.js';
import { Requests } from './requests.js';
import type { Incoming, Responder } from './responder.js';
import { Store } from './store.js';
import { Gate, Timers } from './timers.js';
import { Tokens } from './tokens.js';
import { Watches } from './watch.js';

/** What all servers have. Every option can be left out. */
export interface CommonOptions {
  /** The namespaces that exist. @defaultValue any that is asked for */
  readonly namespaces?: readonly string[] | undefined;
  /** @defaultValue 60 000 */
  readonly bookmarkIntervalMs?: number | undefined;
  /** Versions count from here: try one beyond 2⁵³. @defaultValue a random one from 1 000 */
  readonly initialVersion?: bigint | undefined;
  /** Fields of `spec` to accept although Kubernetes 1.36 does not know them, as a newer server would. */
  readonly extraSpecFields?: readonly string[] | undefined;
  /** One line per answered request. @defaultValue nothing is logged */
  readonly log?: ((line: string) => void) | undefined;
}

/** How a server on the clock of the machine starts. Every option can be left out. */
export interface LeaseServerOptions extends CommonOptions {
  /** @defaultValue `'system'` */
  readonly clock?: 'system' | undefined;
  /** @defaultValue 0, a free one */
  readonly port?: number | undefined;
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: string | undefined;
}

export const COMMON_KEYS = [
  'clock',
  'namespaces',
  'bookmarkIntervalMs',
  'initialVersion',
  'extraSpecFields',
  'log',
];

const KEYS = [...COMMON_KEYS, 'port', 'host'];

/** What a server goes by. */
export interface Surroundings {
  readonly clock: ServerClock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** A Lease API server, however it is reached. */
export abstract class LeaseServerBase implements AsyncDisposable {
  /** The Leases, for assertions and outsiders' writes. */
  readonly leases: Outsider;
  /** What was asked so far. */
  readonly requests = new Requests();
  /** What shall go wrong. */
  readonly faults: Faults;
  readonly #store: Store;
  readonly #namespaces: Namespaces;
  readonly #tokens = new Tokens();
  readonly #watches = new Watches();
  readonly #gate = new Gate();
  readonly #timers: Timers;
  readonly #dispatcher: Dispatcher;

  /** @internal */
  constructor(options: CommonOptions, { clock, random }: Surroundings) {
    const initialVersion = BigInt(1_000 + Math.floor(random() * 9_000));
    this.#store = new Store(options.initialVersion ?? initialVersion);
    this.#namespaces = new Namespaces(options.namespaces);
    this.#timers = new Timers(clock);
    this.leases = new Outsider(this.#store, clock);
    this.faults = new Faults(this.#watches, this.#store);
    const extraSpecFields = new Set(options.extraSpecFields);
    this.#dispatcher = new Dispatcher({
      ...{ clock, random },
      store: this.#store,
      api: new LeaseApi(this.#store, this.#namespaces, extraSpecFields),
      faults: this.faults,
      watches: this.#watches,
      requests: this.requests,
      tokens: this.#tokens,
      gate: this.#gate,
      timers: this.#timers,
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 60_000,
      log: options.log ?? (() => undefined),
    });
  }

  /** Its address, as kubeconfigs name it. */
  abstract readonly url: string;

  /** The current resourceVersion. */
  get version(): bigint {
    return this.#store.version;
  }

  /** For `new LeaseClient({ kubeConfig })`: user `admin`, namespace `default`. */
  get kubeConfig(): TestingKubeConfig {
    return this.kubeConfigFor({});
  }

  /** The same with another user, token or default namespace. */
  kubeConfigFor(options: KubeConfigOptions): TestingKubeConfig {
    return makeKubeConfig(this.credentials(options));
  }

  /** From now on the token is good, and the user's: half of a rotation. */
  acceptToken(token: string, user = 'admin'): void {
    this.#tokens.accept(token, user);
  }

  /** From now on the token gets a 401. */
  revokeToken(token: string): void {
    this.#tokens.revoke(token);
  }

  /** Makes a namespace exist, also one that was terminating or removed. */
  createNamespace(namespace: string): void {
    this.#namespaces.add(namespace);
  }

  /** Creating in it is refused from now on; Leases that exist can still be written. */
  terminateNamespace(namespace: string): void {
    this.#namespaces.terminate(namespace);
  }

  /** Its Leases are deleted, one by one, and it exists no more. */
  removeNamespace(namespace: string): void {
    this.#namespaces.remove(namespace);
    for (const lease of this.#store.list(namespace)) this.#store.remove(lease.metadata);
  }

  /**
   * Connections are accepted and nothing is answered or delivered, as under SIGSTOP. What arrives meanwhile is
   * handled after `resume()`, in order, also when its client has given up.
   */
  pause(): void {
    this.#gate.close();
    for (const watch of this.#watches.select(undefined)) watch.hold(this.#gate);
  }

  resume(): void {
    for (const watch of this.#watches.select(undefined)) watch.release(this.#gate, 'queued');
    this.#gate.open();
  }

  /** Forgets the history: who continues a watch from a version of before gets a 410. Open watches go on. */
  compact(): void {
    this.#store.compact();
  }

  /** Ends everything: watches, connections, delayed requests. Idempotent. */
  async close(): Promise<void> {
    this.#timers.clear();
    for (const watch of this.#watches.select(undefined)) watch.end();
    await this.disconnect();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ends what is still connected, and lets nothing in any more. @internal */
  protected abstract disconnect(): Promise<void>;

  /** @internal */
  protected serve(incoming: Incoming, responder: Responder): Promise<void> {
    return this.#dispatcher.serve(incoming, responder);
  }

  /** @internal */
  protected credentials(options: KubeConfigOptions) {
    checkKeys('kubeConfig', options, ['namespace', 'token', 'user']);
    const { namespace = 'default', user = 'admin' } = options;
    if (options.token !== undefined) this.#tokens.accept(options.token, user);
    const token = options.token ?? this.#tokens.of(user);
    return { server: this.url, namespace, user, token };
  }
}

/** A running Lease API server on a port of this machine. It keeps the process alive until `close()`. */
export class LeaseServer extends LeaseServerBase {
  readonly #http: Server;
  readonly #host: string;
  #port = 0;

  /** @internal Use `startLeaseServer()`. */
  constructor(options: LeaseServerOptions) {
    checkKeys('startLeaseServer', options, KEYS);
    super(options, { clock: systemClock, random: Math.random });
    this.#host = options.host ?? '127.0.0.1';
    this.#http = httpServer((incoming, responder) => this.serve(incoming, responder));
  }

  /** @internal */
  async listen(port: number): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject).listen(port, this.#host, resolve);
    });
    this.#port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  /** The port it listens on, or listened on before `close()`. */
  get port(): number {
    return this.#port;
  }

  /** Plain HTTP, no path: `http://127.0.0.1:41234`. */
  get url(): string {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return `http://${host}:${this.port}`;
  }

  /** The kubeconfig as a file's content, for child processes and real `KubeConfig` objects. */
  kubeConfigYaml(options: KubeConfigOptions = {}): string {
    return makeKubeConfigYaml(this.credentials(options));
  }

  /** @internal */
  protected override async disconnect(): Promise<void> {
    if (!this.#http.listening) return;
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }
}
