// Nodes: processes that contend for the same Leases, each behind a proxy of its own to an API server.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { User } from '../../../tools/harness/user.js';
import type {
  WorkloadCalls,
  WorkloadSettings,
  Wanted,
} from '../../../tools/harness/processes/workload.js';
import type { WorkerPool, Worker } from '../../../tools/harness/processes/pool.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { OutsiderWrite } from '../../../tools/harness/history/history.js';
import type { Guard } from '../../../tools/harness/control-plane/guard.js';
import type { HistoryReader } from './history-reader.js';
import { Proxy } from './proxy.js';
import type { Witness } from '../../../tools/harness/witness.js';
import type { HealthProbe } from './health-probe.js';
import type { CommitProbe } from './commit-probe.js';

export interface Timings {
  readonly leaseDurationMs: number;
  readonly renewIntervalMs: number;
  readonly marginMs: number;
}

/** An outage that no term must be lost by: an attempt of one second is still to succeed after it. */
export function survivedMs({ leaseDurationMs, renewIntervalMs, marginMs }: Timings): number {
  return leaseDurationMs - marginMs - renewIntervalMs - 1_000;
}

/** What groups share. */
export interface GroupContext {
  readonly pool: WorkerPool;
  readonly folder: string;
  readonly registerPort: number;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly history: HistoryReader;
  readonly witness: Witness;
  /** Its watchdog ends every process that is left. */
  readonly guard: Guard;
  readonly pids: Set<number>;
}

/** A place in a group, taken by one process after the other. */
export class Node {
  identity = '';
  /** Ends that no fault caused. */
  readonly crashes: string[] = [];
  #worker: Worker<WorkloadCalls> | undefined;
  #lives = 0;

  constructor(
    readonly name: string,
    readonly proxy: Proxy,
    readonly user: User,
    readonly tokenFile: string,
    private readonly launch: (identity: string) => Promise<Worker<WorkloadCalls>>,
  ) {}

  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  async enter(): Promise<void> {
    this.identity = `${this.name}-${++this.#lives}`;
    const { identity } = this;
    const worker = await this.launch(identity);
    this.#worker = worker;
    void worker.exited.then(({ code, signal }) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.crashes.push(`${identity} ended by itself: ${code ?? signal ?? ''}`);
    });
    await worker.call('attend', undefined);
  }

  async leave(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.kill();
  }

  async killAndReplace(afterMs: number): Promise<void> {
    await this.leave();
    await sleep(afterMs);
    await this.enter();
  }

  /** Stopped by a signal: it does not know. */
  async pause(ms: number): Promise<void> {
    if (this.pid === undefined) return;
    const { pid } = this;
    process.kill(pid, 'SIGSTOP');
    await sleep(ms);
    // It may have been ended meanwhile, and another process have taken its place.
    if (this.pid === pid) process.kill(pid, 'SIGCONT');
  }

  async block(ms: number): Promise<void> {
    await this.#worker?.call('block', ms, ms + 20_000);
  }

  async stepDown(election: string): Promise<void> {
    await this.#worker?.call('stepDown', election);
  }

  async want(wanted: Wanted): Promise<void> {
    await this.#worker?.call('want', wanted);
  }

  async cease(lease: string): Promise<void> {
    await this.#worker?.call('cease', lease);
  }

  /** Ends what a failed fault left behind: nothing is in the way, and a process is there. */
  async heal(): Promise<void> {
    this.proxy.heal();
    if (this.pid !== undefined) process.kill(this.pid, 'SIGCONT');
    else await this.enter();
  }
}

export interface NodeGroupOptions {
  readonly name: string;
  readonly cluster: Cluster;
  /** Nodes are spread over them. */
  readonly servers: readonly string[];
  readonly size: number;
  readonly timings: Timings;
  readonly commits: CommitProbe;
  readonly health: HealthProbe;
  readonly random: () => number;
  /** A planted fault: its nodes believe for so much longer than they should. */
  readonly overstaysMs?: number;
}

export class NodeGroup {
  readonly nodes: Node[] = [];
  readonly outsiders: OutsiderWrite[] = [];
  readonly wanted: readonly Wanted[];
  /** Those that are always wanted. */
  readonly leases: readonly string[];
  /** What happened before has been checked. */
  checkedUntil = 0;
  readonly #beside = new Set<string>();
  readonly #told = new Set<string>();

  static async start(context: GroupContext, options: NodeGroupOptions): Promise<NodeGroup> {
    const group = new NodeGroup(context, options);
    for (let n = 0; n < options.size; n++) await group.#add(n);
    group.checkedUntil = now();
    return group;
  }

  private constructor(
    readonly context: GroupContext,
    readonly options: NodeGroupOptions,
  ) {
    const { namespace } = options.cluster;
    this.wanted = [
      { kind: 'lock', name: `${options.name}-kept`, namespace },
      { kind: 'lock', name: `${options.name}-passed`, namespace, holdMs: 700 },
      { kind: 'election', name: `${options.name}-led`, namespace },
    ];
    this.leases = this.wanted.map(({ name }) => `${namespace}/${name}`);
  }

  get kept(): string {
    return this.leases[0] ?? '';
  }

  get led(): string {
    return this.leases[2] ?? '';
  }

  /** Who holds a lease as far as is committed; else anyone. */
  holderOf(lease: string): Node {
    const holder = this.options.commits.newest(lease)?.holder;
    const node = this.nodes.find(({ identity }) => identity === holder) ?? this.anyone();
    return node;
  }

  anyone(): Node {
    const { random } = this.options;
    const node = this.nodes[Math.floor(random() * this.nodes.length)];
    if (node === undefined) throw new Error('a group without nodes');
    return node;
  }

  shuffled(): Node[] {
    return shuffled(this.nodes, this.options.random);
  }

  /** The same once only: histories that are checked one after the other have much in common. */
  isNews(what: string): boolean {
    const isNews = !this.#told.has(what);
    this.#told.add(what);
    return isNews;
  }

  isOurs(lease: string): boolean {
    return this.leases.includes(lease) || this.#beside.has(lease);
  }

  /** Has some nodes want one more Lease for a while. What happens to it is checked as well. */
  async beside<T>(
    lease: string,
    nodes: readonly Node[],
    kind: Wanted['kind'],
    step: () => Promise<T>,
  ): Promise<T> {
    const [namespace = '', name = ''] = lease.split('/');
    this.#beside.add(lease);
    try {
      for (const node of nodes) await node.want({ kind, name, namespace });
      return await step();
    } finally {
      await Promise.all(nodes.map((node) => node.cease(lease)));
    }
  }

  async heal(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.heal()));
  }

  between(least: number, most: number): number {
    return least + this.options.random() * (most - least);
  }

  /** To be said before an outsider writes. */
  noteOutsider(lock: string, what: string): void {
    this.outsiders.push({ lock, at: now(), what });
  }

  /** Those that have not been told yet. */
  takeCrashes(): string[] {
    return this.nodes.flatMap(({ crashes }) => crashes.splice(0));
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.leave()));
    await Promise.all(this.nodes.map(({ proxy }) => proxy.close()));
  }

  async #add(n: number): Promise<void> {
    const { context, options } = this;
    const { cluster, servers, timings } = options;
    const upstream = servers[n % servers.length] ?? cluster.server;
    const proxy = await Proxy.start({ upstream, cert: context.cert, key: context.key });
    const user = await cluster.newUser();
    await user.grant(['get', 'list', 'watch', 'create', 'update', 'patch']);
    const name = `${options.name}-${'abcdefgh'[n] ?? n}`;
    const tokenFile = join(context.folder, `${name}.token`);
    await writeFile(tokenFile, user.token, { mode: 0o600 });
    const kubeConfigFile = join(context.folder, `${name}.kubeconfig`);
    await writeFile(kubeConfigFile, configOf(cluster, proxy.url, tokenFile), { mode: 0o600 });
    const node = new Node(name, proxy, user, tokenFile, async (identity) => {
      const { registerPort, history, pids, guard } = context;
      const log = join(context.folder, `${identity}.jsonl`);
      const own = { identity, options: timings, wanted: this.wanted, log, registerPort };
      const settings: WorkloadSettings = { ...own, overstaysMs: options.overstaysMs ?? 0 };
      const place = { ...cluster, kubeConfigFile };
      const worker = await context.pool.spawn<WorkloadCalls>('workload', place, settings);
      history.follow(identity);
      pids.add(worker.pid);
      guard.watch([...pids]);
      void worker.exited.then(() => {
        history.retire(identity);
        pids.delete(worker.pid);
        guard.watch([...pids]);
      });
      return worker;
    });
    await node.enter();
    this.nodes.push(node);
  }
}

export function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const rest = [...all];
  return all.flatMap(() => rest.splice(Math.floor(random() * rest.length), 1));
}

function configOf({ kubeConfig, namespace }: Cluster, server: string, tokenFile: string): string {
  const authority = kubeConfig.getCurrentCluster()?.caFile;
  const cluster = { server, 'certificate-authority': authority };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { tokenFile } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace } }],
    'current-context': 'x',
  });
}
