/** The server as a test holds it: what all servers have, and the one on a port. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LeaseApi } from './api.js';
import { checkKeys, checkMs } from './check.js';
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
import type { StoreEvent } from './store.js';
import { Gate, Timers } from './timers.js';
import { Tokens } from './tokens.js';
import { Watches } from './watch.js';

/** What every server can be told at its start. Every option can be left out. */
export interface BaseLeaseServerOptions {
  /** The namespaces that exist. @defaultValue any that is asked for */
  readonly namespaces?: readonly string[] | undefined;
  /** Milliseconds between the bookmarks of a watch that asks for them. @defaultValue 60 000 */
  readonly bookmarkIntervalMs?: number | undefined;
  /** Versions count from here: try one beyond 2⁵³. @defaultValue a random one from 1 000 */
  readonly initialVersion?: bigint | undefined;
  /** Fields of `spec` to accept although Kubernetes 1.36 does not know them, as a newer server would. */
  readonly extraSpecFields?: readonly string[] | undefined;
  /** One line per answered request. @defaultValue nothing is logged */
  readonly log?: ((line: string) => void) | undefined;
}

/** How a server on a port starts. Every option can be left out. */
export interface LeaseServerOptions extends BaseLeaseServerOptions {
  /** @defaultValue `'system'` */
  readonly clock?: 'system' | undefined;
  /** @defaultValue 0, a free one */
  readonly port?: number | undefined;
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: string | undefined;
}

export const BASE_KEYS = [
  'clock',
  'namespaces',
  'bookmarkIntervalMs',
  'initialVersion',
  'extraSpecFields',
  'log',
];

const KEYS = [...BASE_KEYS, 'port', 'host'];

/** Time and chance of a server. */
export interface Surroundings {
  readonly clock: ServerClock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** How many changes the state is behind that a watch begins with. @defaultValue none */
  readonly watchLag?: (() => number) | undefined;
}

/** What both kinds of Lease API server have in common: that on a port, and that on a manual clock. */
export abstract class BaseLeaseServer implements AsyncDisposable {
  /** The stored Leases, for assertions, and for writes as another program would make them. */
  readonly leases: Outsider;
  /** The requests so far. */
  readonly requests = new Requests();
  /** What goes wrong, from now on. */
  readonly faults: Faults;
  readonly #store: Store;
  readonly #namespaces: Namespaces;
  readonly #tokens = new Tokens();
  readonly #watches = new Watches();
  readonly #gate = new Gate();
  readonly #timers: Timers;
  readonly #dispatcher: Dispatcher;

  /** @internal */
  constructor(options: BaseLeaseServerOptions, { clock, random, watchLag }: Surroundings) {
    const { bookmarkIntervalMs = 60_000 } = options;
    checkMs('bookmarkIntervalMs', bookmarkIntervalMs, 1);
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
      bookmarkIntervalMs,
      log: options.log ?? (() => undefined),
      watchLag: watchLag ?? (() => 0),
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

  /** From now on the token is valid and identifies this user: half of a rotation. */
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

  /** From now on, creating a Lease in it is refused. Leases that exist can still be written. */
  terminateNamespace(namespace: string): void {
    this.#namespaces.terminate(namespace);
  }

  /** Deletes its Leases, one by one. From now on it does not exist. */
  removeNamespace(namespace: string): void {
    this.#namespaces.remove(namespace);
    for (const lease of this.#store.list(namespace)) this.#store.remove(lease.metadata);
  }

  /**
   * Stops the server, as SIGSTOP does: it accepts connections, and neither answers requests nor delivers events. After
   * `resume()` it handles what has arrived, in order, also requests whose client has given up.
   */
  pause(): void {
    this.#gate.close();
    for (const watch of this.#watches.select(undefined)) watch.hold(this.#gate);
  }

  /** Ends a pause. Does nothing when there is none. */
  resume(): void {
    for (const watch of this.#watches.select(undefined)) watch.release(this.#gate, 'queued');
    this.#gate.open();
  }

  /** Forgets the history: a watch that continues from an earlier version gets a 410. Open watches go on. */
  compact(): void {
    this.#store.compact();
  }

  /** Ends watches, connections and delayed requests. Further calls do nothing. */
  async close(): Promise<void> {
    this.#timers.clear();
    for (const watch of this.#watches.select(undefined)) watch.end();
    await this.disconnect();
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ends open connections and accepts no new ones. @internal */
  protected abstract disconnect(): Promise<void>;

  /** Hears of each change as it is made. @internal */
  protected subscribe(listener: (event: StoreEvent) => void): void {
    this.#store.subscribe(listener);
  }

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
export class LeaseServer extends BaseLeaseServer {
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
