// Processes that contend for the same Leases, each on a path of its own to an API server.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { User } from '../../../tools/harness/user.js';
import type {
  ContenderCalls,
  ContenderSettings,
  Wanted,
} from '../../../tools/harness/processes/contender.js';
import type { Crew, Worker } from '../../../tools/harness/processes/crew.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { OutsiderWrite } from '../../proof/history/history.js';
import type { Guard } from '../../../tools/harness/control-plane/guard.js';
import type { Chronicle } from './chronicle.js';
import { Proxy } from './proxy.js';
import type { Pulse } from './pulse.js';
import type { Witness } from './witness.js';

export interface Timings {
  readonly leaseDurationMs: number;
  readonly renewIntervalMs: number;
  readonly marginMs: number;
}

/** An outage that no term must be lost by: an attempt of one second is still to succeed after it. */
export function survivedMs({ leaseDurationMs, renewIntervalMs, marginMs }: Timings): number {
  return leaseDurationMs - marginMs - renewIntervalMs - 1_000;
}

/** What troupes share. */
export interface Ground {
  readonly crew: Crew;
  readonly folder: string;
  readonly registerPort: number;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly chronicle: Chronicle;
  /** Its watchdog ends every process that is left. */
  readonly guard: Guard;
  readonly pids: Set<number>;
}

/** A place in a troupe, taken by one process after the other. */
export class Member {
  identity = '';
  /** Deaths that nobody caused. */
  readonly crashes: string[] = [];
  #worker: Worker<ContenderCalls> | undefined;
  #lives = 0;

  constructor(
    readonly name: string,
    readonly proxy: Proxy,
    readonly user: User,
    readonly tokenFile: string,
    private readonly launch: (identity: string) => Promise<Worker<ContenderCalls>>,
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

  /** Whatever a failed fault left behind: nothing is in its way, and a process is there. */
  async heal(): Promise<void> {
    this.proxy.heal();
    if (this.pid !== undefined) process.kill(this.pid, 'SIGCONT');
    else await this.enter();
  }
}

export interface TroupeOptions {
  readonly name: string;
  readonly cluster: Cluster;
  /** Members are spread over them. */
  readonly servers: readonly string[];
  readonly size: number;
  readonly timings: Timings;
  readonly witness: Witness;
  readonly pulse: Pulse;
  readonly random: () => number;
  /** A planted fault: its members believe for so much longer than they should. */
  readonly overstaysMs?: number;
}

export class Troupe {
  readonly members: Member[] = [];
  readonly outsiders: OutsiderWrite[] = [];
  readonly wanted: readonly Wanted[];
  /** Those that are always wanted. */
  readonly leases: readonly string[];
  /** What happened before has been judged. */
  judgedUntil = 0;
  readonly #beside = new Set<string>();
  readonly #told = new Set<string>();

  static async start(ground: Ground, options: TroupeOptions): Promise<Troupe> {
    const troupe = new Troupe(ground, options);
    for (let n = 0; n < options.size; n++) await troupe.#add(n);
    troupe.judgedUntil = now();
    return troupe;
  }

  private constructor(
    readonly ground: Ground,
    readonly options: TroupeOptions,
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
  holderOf(lease: string): Member {
    const holder = this.options.witness.newest(lease)?.holder;
    const member = this.members.find(({ identity }) => identity === holder) ?? this.anyone();
    return member;
  }

  anyone(): Member {
    const { random } = this.options;
    const member = this.members[Math.floor(random() * this.members.length)];
    if (member === undefined) throw new Error('a troupe of nobody');
    return member;
  }

  shuffled(): Member[] {
    return shuffled(this.members, this.options.random);
  }

  /** The same once only: histories that are judged one after the other have much in common. */
  isNews(what: string): boolean {
    const isNews = !this.#told.has(what);
    this.#told.add(what);
    return isNews;
  }

  isOurs(lease: string): boolean {
    return this.leases.includes(lease) || this.#beside.has(lease);
  }

  /** Has some members want one more Lease for a while. What happens to it is judged as well. */
  async beside<T>(
    lease: string,
    members: readonly Member[],
    kind: Wanted['kind'],
    act: () => Promise<T>,
  ): Promise<T> {
    const [namespace = '', name = ''] = lease.split('/');
    this.#beside.add(lease);
    try {
      for (const member of members) await member.want({ kind, name, namespace });
      return await act();
    } finally {
      await Promise.all(members.map((member) => member.cease(lease)));
    }
  }

  async heal(): Promise<void> {
    await Promise.all(this.members.map((member) => member.heal()));
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
    return this.members.flatMap(({ crashes }) => crashes.splice(0));
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.leave()));
    await Promise.all(this.members.map(({ proxy }) => proxy.close()));
  }

  async #add(n: number): Promise<void> {
    const { ground, options } = this;
    const { cluster, servers, timings } = options;
    const upstream = servers[n % servers.length] ?? cluster.server;
    const proxy = await Proxy.start({ upstream, cert: ground.cert, key: ground.key });
    const user = await cluster.newUser();
    await user.grant(['get', 'list', 'watch', 'create', 'update']);
    const name = `${options.name}-${'abcdefgh'[n] ?? n}`;
    const tokenFile = join(ground.folder, `${name}.token`);
    await writeFile(tokenFile, user.token, { mode: 0o600 });
    const kubeConfigFile = join(ground.folder, `${name}.kubeconfig`);
    await writeFile(kubeConfigFile, configOf(cluster, proxy.url, tokenFile), { mode: 0o600 });
    const member = new Member(name, proxy, user, tokenFile, async (identity) => {
      const { registerPort, chronicle, pids, guard } = ground;
      const diary = join(ground.folder, `${identity}.jsonl`);
      const own = { identity, options: timings, wanted: this.wanted, diary, registerPort };
      const settings: ContenderSettings = { ...own, overstaysMs: options.overstaysMs ?? 0 };
      const place = { ...cluster, kubeConfigFile };
      const worker = await ground.crew.start<ContenderCalls>('contender', place, settings);
      chronicle.follow(identity);
      pids.add(worker.pid);
      guard.watch([...pids]);
      void worker.exited.then(() => {
        chronicle.retire(identity);
        pids.delete(worker.pid);
        guard.watch([...pids]);
      });
      return worker;
    });
    await member.enter();
    this.members.push(member);
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
