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
import { Daemon, freePort } from './daemon.js';
import {
  writeClientCertificate,
  writeKubeConfig,
  writeServiceAccountKey,
  writeTokens,
} from './files.js';
import type { ClientCertificate, Tokens } from './files.js';
import { get } from './probe.js';

/** What there is to know about a control plane of our own. Plain data: it fits into JSON. */
export interface LocalCluster {
  readonly kind: 'local';
  /** Where its programs came from. */
  readonly source: Binaries['source'];
  /** As the API server reports it, e.g. `v1.36.3`. */
  readonly version: string;
  readonly server: string;
  /** A kubeconfig of a user in `system:masters`. */
  readonly kubeConfigFile: string;
  readonly adminToken: string;
  readonly caFile: string;
  readonly tokens: Tokens;
  /** Undefined with KUBEBUILDER_ASSETS, which has no program that makes one. */
  readonly clientCertificate: ClientCertificate | undefined;
  readonly pids: { readonly apiserver: number; readonly etcd: number };
}

export type Program = 'apiserver' | 'etcd';

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

  /** They change with a restart. */
  get pids(): { readonly apiserver: number; readonly etcd: number } {
    return { apiserver: this.#daemons.apiserver.pid, etcd: this.#daemons.etcd.pid };
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
    await this.#prime();
    this.#daemons.apiserver.start();
    this.#tellWatchdog();
    await this.#ready();
    const { body } = await get(`${this.server}/version`, this.#credentials());
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
      const answer = fetch(`${this.#etcdUrl}/v3/kv/put`, { method: 'POST', body });
      const done = await answer.then(
        ({ ok }) => ok,
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
      const { status, body } = await get(this.server + path, this.#credentials());
      if (status !== 200) return `${path}: ${status} ${body}`;
    }
    return '';
  }

  #credentials(): { ca: Buffer; headers: Record<string, string> } {
    const headers = { authorization: `Bearer ${this.adminToken}` };
    return { ca: readFileSync(this.caFile), headers };
  }

  #tellWatchdog(): void {
    this.#watchdog.stdin?.write(`pids ${this.pids.apiserver} ${this.pids.etcd}\n`);
  }
}

interface Prepared extends Omit<LocalCluster, 'kind' | 'version' | 'pids'> {
  readonly folder: string;
  readonly etcdUrl: string;
  readonly daemons: Readonly<Record<Program, Daemon>>;
}

async function prepare(
  binaries: Binaries,
  folder: string,
  extraArgs: readonly string[],
): Promise<Prepared> {
  const at = (name: string): string => join(folder, name);
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const server = `https://127.0.0.1:${port}`;
  const caFile = at('apiserver/apiserver.crt');
  const { adminToken, tokens } = await writeTokens(at('tokens.csv'));
  await writeServiceAccountKey(at('service-account.key'));
  await writeKubeConfig(at('kubeconfig'), { server, caFile, token: adminToken });
  const clientCertificate =
    binaries.certificate === undefined
      ? undefined
      : await writeClientCertificate(binaries.certificate, at('client'));
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const args = [...apiserverArgs(at, port, etcdUrl, clientCertificate?.ca), ...extraArgs];
  const etcd = etcdArgs(at, etcdUrl, `http://127.0.0.1:${peerPort}`);
  return {
    source: binaries.source,
    kubeConfigFile: at('kubeconfig'),
    daemons: {
      apiserver: new Daemon(binaries.apiserver, args, at('apiserver.log')),
      etcd: new Daemon(binaries.etcd, etcd, at('etcd.log')),
    },
    ...{ folder, etcdUrl, server, caFile, adminToken, tokens, clientCertificate },
  };
}

function apiserverArgs(
  at: (name: string) => string,
  port: number,
  etcdUrl: string,
  clientCa: string | undefined,
): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${at('apiserver')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${at('service-account.key')}`,
    `--service-account-signing-key-file=${at('service-account.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--authorization-mode=RBAC',
    `--token-auth-file=${at('tokens.csv')}`,
    '--endpoint-reconciler-type=none',
    '--profiling=false',
    ...(clientCa === undefined ? [] : [`--client-ca-file=${clientCa}`]),
  ];
}

function etcdArgs(at: (name: string) => string, url: string, peerUrl: string): string[] {
  return [
    `--data-dir=${at('etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--log-level=warn',
    // The data live as long as this machine's page cache does: no test cuts its power.
    '--unsafe-no-fsync',
  ];
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
