import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AnotherServer } from './another.js';
import type { Binaries } from './binaries.js';
import { freePort } from './daemon.js';
import type { Daemon } from './daemon.js';
import type { ClientCertificate, Tokens } from './files.js';
import { Guard } from './guard.js';
import { prepare } from './prepare.js';
import type { LocalCluster, Prepared, Program } from './prepare.js';
import { ask } from './probe.js';
import { START_LIMIT_MS, untilReady, versionOf } from './ready.js';

/** A running kube-apiserver and etcd that are ours. Ends with this process at the latest. */
export class ControlPlane implements LocalCluster {
  readonly kind = 'local';
  readonly source: Binaries['source'];
  readonly server: string;
  readonly kubeConfigFile: string;
  readonly adminToken: string;
  readonly caFile: string;
  readonly tokens: Tokens;
  readonly clientCertificate: ClientCertificate | undefined;
  #version = '';
  readonly etcdUrl: string;
  /** The key of the certificate in `caFile`: who has both can pass for the API server. */
  readonly keyFile: string;
  readonly #folder: string;
  readonly #daemons: Readonly<Record<Program, Daemon>>;
  readonly #serverDaemon: Prepared['serverDaemon'];
  readonly #others: AnotherServer[] = [];
  readonly #guard: Guard;

  /** As `startControlPlane`, with programs already at hand. */
  static async start(
    binaries: Binaries,
    apiserverArgs: readonly string[] = [],
  ): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'control-plane-'));
    let plane: ControlPlane | undefined;
    try {
      plane = new ControlPlane(await prepare(binaries, folder, apiserverArgs));
      await plane.#launch();
      return plane;
    } catch (error) {
      await plane?.stop();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(prepared: Prepared) {
    this.source = prepared.source;
    this.server = prepared.server;
    this.kubeConfigFile = prepared.kubeConfigFile;
    this.adminToken = prepared.adminToken;
    this.caFile = prepared.caFile;
    this.tokens = prepared.tokens;
    this.clientCertificate = prepared.clientCertificate;
    this.#folder = prepared.folder;
    this.etcdUrl = prepared.etcdUrl;
    this.keyFile = prepared.keyFile;
    this.#daemons = prepared.daemons;
    this.#serverDaemon = prepared.serverDaemon;
    this.#guard = new Guard(prepared.folder);
  }

  get version(): string {
    return this.#version;
  }

  /** They change with a restart; 0 before the first start. */
  get pids(): { readonly apiserver: number; readonly etcd: number } {
    const { apiserver, etcd } = this.#daemons;
    return { apiserver: apiserver.pid ?? 0, etcd: etcd.pid ?? 0 };
  }

  /** Freezes a program: connections stay open, nothing answers. */
  pause(program: Program = 'apiserver'): void {
    this.#daemons[program].signal('SIGSTOP');
  }

  resume(program: Program = 'apiserver'): void {
    this.#daemons[program].signal('SIGCONT');
  }

  /**
   * Ends a program and starts it again on its old port with its old data. Resolves when the API
   * server is ready. SIGTERM lets it drain, which takes longer; a paused one needs SIGKILL.
   */
  async restart(
    program: Program = 'apiserver',
    signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
  ): Promise<void> {
    await this.#daemons[program].end(signal);
    this.#daemons[program].start();
    this.#tellGuard();
    await this.#ready();
  }

  /** Starts again what is not running. Resolves when the API server is ready. */
  async revive(): Promise<void> {
    for (const daemon of [this.#daemons.etcd, this.#daemons.apiserver]) {
      if (daemon.failure !== undefined) daemon.start();
    }
    this.#tellGuard();
    await this.#ready();
  }

  /**
   * Starts another API server on the same etcd, with the same certificate and users. Resolves when it is ready.
   *
   * @param etcdUrl what it takes for etcd, e.g. something slow in between
   */
  async addServer(etcdUrl = this.etcdUrl): Promise<AnotherServer> {
    const port = await freePort();
    const access = { ...this.#access(), server: `https://127.0.0.1:${port}` };
    const daemon = this.#serverDaemon(port, etcdUrl);
    const another = new AnotherServer(access, daemon, () => this.#tellGuard());
    this.#others.push(another);
    await another.start();
    return another;
  }

  /** Ends all programs and removes all files. May be called twice. */
  async stop(): Promise<void> {
    const others = this.#others.map((other) => other.end());
    await Promise.all([this.#daemons.apiserver.end(), ...others]);
    await this.#daemons.etcd.end();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    this.#guard.dismiss();
  }

  /** What another process needs to know, as plain data. */
  toJSON(): LocalCluster {
    const { kind, source, version, server, kubeConfigFile, adminToken, caFile, tokens } = this;
    const { clientCertificate, pids } = this;
    return {
      ...{ kind, source, version, server, kubeConfigFile, adminToken, caFile, tokens },
      ...{ clientCertificate, pids },
    };
  }

  async #launch(): Promise<void> {
    this.#daemons.etcd.start();
    this.#tellGuard();
    await this.#prime();
    this.#daemons.apiserver.start();
    this.#tellGuard();
    await this.#ready();
    this.#version = await versionOf(this.#access());
  }

  /**
   * Writes to etcd before the API server reads it, so that its history begins after version 1: a
   * watch from there is then refused as too old, as on any cluster that is not brand-new.
   */
  async #prime(): Promise<void> {
    const body = JSON.stringify({ key: btoa('primed'), value: '' });
    const deadline = performance.now() + START_LIMIT_MS;
    for (let writes = 0; writes < 2;) {
      if (this.#daemons.etcd.failure !== undefined) throw new Error(this.#daemons.etcd.failure);
      if (performance.now() > deadline) throw new Error(this.#daemons.etcd.logTail());
      const answer = ask(`${this.etcdUrl}/v3/kv/put`, { method: 'POST' }, body);
      const done = await answer.then(
        ({ status }) => status === 200,
        () => false,
      );
      if (done) writes += 1;
      else await sleep(50);
    }
  }

  #ready(): Promise<void> {
    return untilReady(this.#access(), Object.values(this.#daemons));
  }

  #access(): { server: string; caFile: string; adminToken: string } {
    const { server, caFile, adminToken } = this;
    return { server, caFile, adminToken };
  }

  #tellGuard(): void {
    const programs = [...Object.values(this.#daemons), ...this.#others];
    this.#guard.watch(programs.flatMap(({ pid }) => pid ?? []));
  }
}
