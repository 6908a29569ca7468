/** The server as its users hold it. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LeaseApi } from './api.js';
import { checkKeys } from './check.js';
import { Dispatcher } from './dispatcher.js';
import { Faults } from './faults.js';
import { replyOf, send } from './http.js';
import type { KubeConfigOptions, TestingKubeConfig } from './kubeconfig.js';
import { makeKubeConfig, makeKubeConfigYaml } from './kubeconfig.js';
import { Namespaces } from './namespaces.js';
import { Outsider } from './outsider.js';
import { Requests } from './requests.js';
import { Store } from './store.js';
import { Gate, Timers } from './timers.js';
import { Tokens } from './tokens.js';
import { Watches } from './watch.js';

/** How a server starts. Every option can be left out. */
export interface LeaseServerOptions {
  /** @defaultValue 0, a free one */
  readonly port?: number | undefined;
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: string | undefined;
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

const KEYS = [
  'port',
  'host',
  'namespaces',
  'bookmarkIntervalMs',
  'initialVersion',
  'extraSpecFields',
  'log',
];

/** A running Lease API server. It keeps the process alive until `close()`. */
export class LeaseServer implements AsyncDisposable {
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
  readonly #timers = new Timers();
  readonly #http: Server;
  readonly #host: string;
  #port = 0;

  /** @internal Use `startLeaseServer()`. */
  constructor(options: LeaseServerOptions) {
    checkKeys('startLeaseServer', options, KEYS);
    this.#host = options.host ?? '127.0.0.1';
    this.#store = new Store(options.initialVersion ?? BigInt(randomInt(1_000, 10_000)));
    this.#namespaces = new Namespaces(options.namespaces);
    this.leases = new Outsider(this.#store);
    this.faults = new Faults(this.#watches, this.#store);
    const extraSpecFields = new Set(options.extraSpecFields);
    const dispatcher = new Dispatcher({
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
    this.#http = createServer((incoming, response) => {
      dispatcher.serve(incoming, response).catch((error: unknown) => {
        const reply = replyOf(() => {
          throw error;
        });
        send(response, reply, new Date());
      });
    });
    // Like the real server, which never closes an idle connection within a test's time.
    this.#http.keepAliveTimeout = 0;
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
    return makeKubeConfig(this.#credentials(options));
  }

  /** The same as a file's content, for child processes and real `KubeConfig` objects. */
  kubeConfigYaml(options: KubeConfigOptions = {}): string {
    return makeKubeConfigYaml(this.#credentials(options));
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

  /** Ends everything: watches, connections, delayed requests. The port is free afterwards. Idempotent. */
  async close(): Promise<void> {
    this.#timers.clear();
    for (const watch of this.#watches.select(undefined)) watch.end();
    if (!this.#http.listening) return;
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #credentials(options: KubeConfigOptions) {
    checkKeys('kubeConfig', options, ['namespace', 'token', 'user']);
    const { namespace = 'default', user = 'admin' } = options;
    if (options.token !== undefined) this.#tokens.accept(options.token, user);
    const token = options.token ?? this.#tokens.of(user);
    return { server: this.url, namespace, user, token };
  }
}
