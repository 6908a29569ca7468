import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Binaries } from './binaries.js';
import type { Daemon } from './daemon.js';
import type { ClientCertificate, Tokens } from './files.js';
import { prepare } from './prepare.js';
import type { LocalCluster, Prepared, Program } from './prepare.js';
import { ask } from './probe.js';

const START_LIMIT_MS = 60_000;

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
  readonly #folder: string;
  readonly #etcdUrl: string;
  readonly #daemons: Readonly<Record<Program, Daemon>>;
  readonly #watchdog: ChildProcess;

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
    this.#etcdUrl = prepared.etcdUrl;
    this.#daemons = prepared.daemons;
    this.#watchdog = startWatchdog(prepared.folder);
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
    this.#tellWatchdog();
    await this.#ready();
  }

  /** Ends both programs and removes all files. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all([this.#daemons.apiserver.end(), this.#daemons.etcd.end()]);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    this.#watchdog.stdin?.end('done\n');
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
    this.#tellWatchdog();
    await this.#prime();
    this.#daemons.apiserver.start();
    this.#tellWatchdog();
    await this.#ready();
    const { body } = await ask(`${this.server}/version`, this.#credentials());
    this.#version = (JSON.parse(body) as { gitVersion: string }).gitVersion;
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
      const answer = ask(`${this.#etcdUrl}/v3/kv/put`, { method: 'POST' }, body);
      const done = await answer.then(
        ({ status }) => status === 200,
        () => false,
      );
      if (done) writes += 1;
      else await sleep(50);
    }
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    let last = 'no answer yet';
    while (performance.now() < deadline) {
      for (const daemon of Object.values(this.#daemons)) {
        if (daemon.failure !== undefined) throw new Error(daemon.failure);
      }
      try {
        last = await this.#probe();
        if (last === '') return;
      } catch (error) {
        last = String(error);
      }
      await sleep(100);
    }
    const log = this.#daemons.apiserver.logTail();
    throw new Error(`kube-apiserver is not ready after ${START_LIMIT_MS} ms: ${last}\n${log}`);
  }

  /** Empty when the API server says it is ready and a read goes through to etcd. */
  async #probe(): Promise<string> {
    for (const path of ['/readyz', '/api/v1/namespaces/default']) {
      const { status, body } = await ask(this.server + path, this.#credentials());
      if (status !== 200) return `${path}: ${status} ${body}`;
    }
    return '';
  }

  #credentials(): { ca: Buffer; headers: Record<string, string> } {
    const headers = { authorization: `Bearer ${this.adminToken}` };
    return { ca: readFileSync(this.caFile), headers };
  }

  #tellWatchdog(): void {
    const pids = Object.values(this.#daemons).flatMap(({ pid }) => pid ?? []);
    this.#watchdog.stdin?.write(`pids ${pids.join(' ')}\n`);
  }
}

function startWatchdog(folder: string): ChildProcess {
  const script = fileURLToPath(new URL('watchdog.js', import.meta.url));
  // A group of its own, so that an interrupt from the keyboard leaves it to do its work.
  const watchdog = spawn(process.execPath, [script, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  // The pipe is a socket, but its type does not say so.
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref();
  return watchdog;
}
