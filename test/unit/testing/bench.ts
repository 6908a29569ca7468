// A server of each kind with a client that sends requests as they are given: over sockets where those matter, in memory
// and on virtual time where time matters.
import { afterEach, beforeEach } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type {
  BaseLeaseServer,
  BaseLeaseServerOptions,
  LeaseServer,
  LeaseServerOptions,
  ManualLeaseServer,
} from '@metaparticle/sync/testing';
import type { StreamResult } from '../../../src/lease/kube/http-wire.js';
import { simulationOf } from '../../../src/lease/kube/simulation.js';
import { RawClient } from '../../../tools/harness/raw.js';
import type { ApiObject, Json, RawResponse, WatchEvent } from '../../../tools/harness/raw.js';

export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
export const BY_NAME = 'fieldSelector=metadata.name%3Done';

/** One server and a client of it. */
export interface Bench<
  Api extends BaseLeaseServer = LeaseServer,
  Client extends Requesting = RawClient,
> {
  readonly api: Api;
  readonly client: Client;
}

export type ManualBench = Bench<ManualLeaseServer, MemoryClient>;

interface Requesting {
  request(method: string, path: string, body?: unknown): Promise<RawResponse>;
  close(): void;
}

type AnyBench = Pick<Bench<BaseLeaseServer, Requesting>, 'client'>;

function fresh<B extends Bench<BaseLeaseServer, Requesting>>(start: () => Promise<B>): () => B {
  let bench: B | undefined;
  beforeEach(async () => {
    bench = await start();
  });
  afterEach(async () => {
    bench?.client.close();
    await bench?.api.close();
  });
  return () => {
    if (bench === undefined) throw new Error('a server is there only while tests run');
    return bench;
  };
}

/** A fresh server on a port per test, closed after it. */
export function freshServer(options: LeaseServerOptions = {}): () => Bench {
  return fresh(async () => {
    const api = await startLeaseServer(options);
    return { api, client: clientOf(api) };
  });
}

/** A fresh server on a manual clock per test. */
export function freshManualServer(options: BaseLeaseServerOptions = {}): () => ManualBench {
  return fresh(async () => {
    const api = await startLeaseServer({ ...options, clock: 'manual' });
    return { api, client: new MemoryClient(api) };
  });
}

/** Close it when it is not the one of `freshServer()`. */
export function clientOf(api: LeaseServer, user = 'admin'): RawClient {
  const { token } = api.kubeConfigFor({ user }).getCurrentUser();
  return new RawClient({ server: api.url, headers: { authorization: `Bearer ${token}` } });
}

export function lease(name = 'one', spec: Json = {}, metadata: Json = {}): Json {
  return { metadata: { name, ...metadata }, spec: { holderIdentity: 'a', ...spec } };
}

export function post({ client }: AnyBench, body: Json = lease()): Promise<RawResponse> {
  return client.request('POST', LEASES, body);
}

export function get({ client }: AnyBench, name = 'one'): Promise<RawResponse> {
  return client.request('GET', `${LEASES}/${name}`);
}

/** A CAS write onto what was read. */
export function put({ client }: AnyBench, read: ApiObject, spec: Json): Promise<RawResponse> {
  const body = { ...read, spec: { ...read.spec, ...spec } };
  return client.request('PUT', `${LEASES}/${read.metadata.name}`, body);
}

/** What a promise has come to once the clock was moved by `ms`. */
export async function after<T>(
  { api }: Pick<ManualBench, 'api'>,
  ms: number,
  promise: Promise<T>,
): Promise<T | 'pending' | 'failed'> {
  const settled = promise.catch(() => 'failed' as const);
  await api.advance(ms);
  return Promise.race([settled, Promise.resolve('pending' as const)]);
}

/** The requests of one user to a server in memory. */
export class MemoryClient implements Requesting {
  readonly #api: ManualLeaseServer;
  readonly #kubeConfig: ReturnType<ManualLeaseServer['kubeConfigFor']>;
  readonly #closing = new AbortController();

  constructor(api: ManualLeaseServer, user = 'admin') {
    this.#api = api;
    this.#kubeConfig = api.kubeConfigFor({ user });
  }

  async request(method: string, path: string, body?: unknown): Promise<RawResponse> {
    const result = await this.#wire.exchange({
      ...{ method, path, ...(await this.#parts()) },
      ...{ body: body === undefined ? undefined : JSON.stringify(body) },
      ...{ connections: this.#closing.signal, onFree: () => undefined },
    });
    if (result.kind === 'broken') throw result.error;
    const headers = result.headers as RawResponse['headers'];
    return { status: result.status, headers, body: parse(result.body) };
  }

  /** Opens a watch, and resolves when what needs no time has arrived. */
  async watch(path: string): Promise<MemoryWatch> {
    const watch = new MemoryWatch(this.#api);
    const parts = await this.#parts();
    watch.follow(this.#wire.stream({ ...{ method: 'GET', path }, ...parts, sink: watch }));
    await this.#api.advance(0);
    return watch;
  }

  /** Breaks what is under way. */
  close(): void {
    this.#closing.abort(new Error('the client is gone'));
  }

  get #wire() {
    const simulation = simulationOf(this.#kubeConfig);
    if (simulation === undefined) throw new Error('no simulation');
    return simulation.wire;
  }

  async #parts() {
    const options = {};
    await this.#kubeConfig.applyToHTTPSOptions(options);
    return { authorized: { options, proxyAgent: null }, signal: this.#closing.signal };
  }
}

/** An open watch. Its events are kept until they are asked for. */
export class MemoryWatch {
  /** 0 while no answer has begun. */
  status = 0;
  /** How the connection ended. */
  end: StreamResult | undefined;
  readonly #api: ManualLeaseServer;
  #lines: WatchEvent[] = [];

  constructor(api: ManualLeaseServer) {
    this.#api = api;
  }

  begun(status: number): void {
    this.status = status;
  }

  chunk(chunk: Buffer): void {
    const lines = chunk
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    this.#lines.push(...lines.map((line) => JSON.parse(line) as WatchEvent));
  }

  follow(result: Promise<StreamResult>): void {
    void result.then((end) => (this.end = end));
  }

  /** The next event, the way in which the watch ended, or `silent` when none has come `afterMs` from now. */
  async next(afterMs = 0): Promise<WatchEvent | StreamResult['kind'] | 'silent'> {
    await this.#api.advance(afterMs);
    return this.#lines.shift() ?? this.end?.kind ?? 'silent';
  }
}

function parse(text: string): ApiObject {
  try {
    return JSON.parse(text) as ApiObject;
  } catch {
    return { text } as unknown as ApiObject;
  }
}
