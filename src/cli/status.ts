import { Command } from 'commander';
import { isSyncError } from '../errors.js';
import type { Clock } from '../lease/clock.js';
import { pathOf } from '../lease/kube/store.js';
import { keyOf, type Lease } from '../lease/record.js';
import type { Answer } from '../lease/kube/transport.js';
import type { LeaseEvent, Watcher } from '../lease/kube/watcher.js';
import { Api } from './api.js';
import { addClusterOptions, addOutputOption, openCluster } from './cluster.js';
import type { Cluster, ClusterOptions } from './cluster.js';
import { exitCodes } from './exit-codes.js';
import { Interrupts, aborted } from './interrupt.js';
import { readLeases, statusOf, type LeaseStatus } from './leases.js';
import { Printer } from './printer.js';
import type { Context, Terminal } from './terminal.js';

interface StatusArguments extends ClusterOptions {
  readonly allNamespaces?: true;
  readonly watch?: true;
  readonly output: 'table' | 'json';
}

const KINDS = `
Kinds: ours (this package), client-go (an elector that writes records as client-go's does), coordinated (granted
by the API server), foreign (anything else, such as the heartbeats of nodes). A lease is overdue when its holder
has not renewed it for longer than its duration, by the clocks of the holder and the API server.`;

export function statusCommand(context: Context): Command {
  const command = new Command('status')
    .summary('show who holds what')
    .description('Show the Lease of that name, or all of the namespace.')
    .argument('[name]', 'name of a lock or election')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-w, --watch', 'go on with what changes, until interrupted; renewals left out')
    .addHelpText('after', KINDS);
  addOutputOption(addClusterOptions(command));
  return command.action(async (name: string | undefined, options: StatusArguments) => {
    if (name !== undefined && options.allNamespaces === true) {
      command.error('error: a name is looked for in one namespace: leave out --all-namespaces');
    }
    context.end(await status(name, options, context));
  });
}

async function status(
  name: string | undefined,
  options: StatusArguments,
  { terminal }: Context,
): Promise<number> {
  using interrupts = new Interrupts();
  const cluster = await openCluster(options, terminal);
  return await statusOn(cluster, name, options, terminal, interrupts.asked);
}

/**
 * @param signal ends a `--watch`
 * @returns the exit code
 */
export async function statusOn(
  cluster: Pick<Cluster, 'kubeConfig' | 'namespace'>,
  name: string | undefined,
  options: Pick<StatusArguments, 'allNamespaces' | 'output' | 'watch'>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  using api = new Api(cluster.kubeConfig);
  const isEverywhere = options.allNamespaces === true;
  const look = new Look(api, isEverywhere ? '' : cluster.namespace, name);
  const printer = new Printer(terminal, options.output, isEverywhere);
  const found = await look.list();
  if (found.length === 0 && name !== undefined && options.watch === undefined) {
    terminal.tell(`there is no Lease ${cluster.namespace}/${name}`);
    return exitCodes.notAcquired;
  }
  if (found.length === 0 && options.watch === undefined && options.output === 'table') {
    const where = isEverywhere ? 'any namespace' : `namespace ${cluster.namespace}`;
    terminal.tell(`no Leases found in ${where}`);
    return 0;
  }
  printer.print(found);
  if (options.watch === true) await watch(look, printer, terminal, signal);
  return 0;
}

const TICK_MS = 1_000;
/** How often to look while no watch delivers. */
const LOOK_MS = 2_000;

/** Goes on until the signal aborts. What became overdue is printed as well, although nothing happened to it. */
async function watch(
  look: Look,
  printer: Printer,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const changed = (): void => printer.printChanges(look.now());
  const told = new Set<string>();
  /** A list that fails is no reason to end: the next one follows. */
  const failed = (error: unknown): void => {
    if (!isSyncError(error)) throw error;
    if (told.has(error.message)) return;
    told.add(error.message);
    terminal.warn(error);
  };
  const { clock } = look;
  const watcher = look.follow(changed);
  const undo = [
    clock.keepAlive(),
    every(TICK_MS, clock, changed),
    every(LOOK_MS, clock, () => void look.refresh().then(changed, failed)),
  ];
  await aborted(signal);
  watcher.close();
  for (const one of undo) one();
}

/** @returns the way to end it */
function every(ms: number, clock: Clock, act: () => void): () => void {
  let cancel = clock.after(ms, function again() {
    cancel = clock.after(ms, again);
    act();
  });
  return () => cancel();
}

/** The leases that were asked for, as last seen. */
class Look {
  readonly #api: Api;
  readonly #namespace: string;
  readonly #path: string;
  readonly #leases = new Map<string, Lease>();
  readonly #name: string | undefined;
  /** What is not newer was in the last list, or had gone before it. */
  #listed = 0n;
  #clockOffsetMs = 0;
  /** A watch delivers. */
  #isLive = false;
  /** Something was missed since the last list. */
  #isStale = false;
  #isAsking = false;

  constructor(api: Api, namespace: string, name: string | undefined) {
    this.#api = api;
    this.#namespace = namespace;
    this.#path =
      namespace === '' ? '/apis/coordination.k8s.io/v1/leases' : pathOf({ namespace, name: '' });
    this.#name = name;
  }

  get clock(): Clock {
    return this.#api.clock;
  }

  async list(): Promise<LeaseStatus[]> {
    const { body, answeredAt } = await this.#ask();
    if (answeredAt !== null) this.#clockOffsetMs = answeredAt - this.#wall();
    const { version, leases } = readLeases(body);
    this.#isStale = false;
    if (version > this.#listed) this.#listed = version;
    const newer = [...this.#leases].filter(([, lease]) => (lease.version ?? 0n) > version);
    this.#leases.clear();
    for (const lease of leases) this.#leases.set(keyOf(lease.key), lease);
    for (const [key, lease] of version === 0n ? [] : newer) this.#leases.set(key, lease);
    return this.now();
  }

  /** Lists once more, unless a watch delivers everything or a list is on its way. */
  async refresh(): Promise<void> {
    if ((this.#isLive && !this.#isStale) || this.#isAsking) return;
    this.#isAsking = true;
    try {
      await this.list();
    } finally {
      this.#isAsking = false;
    }
  }

  /** One of a name is read by its name, for which those who may use it have the right. */
  #ask(): Promise<Answer> {
    const [namespace, name] = [this.#namespace, this.#name];
    if (name === undefined) return this.#api.get(this.#path, namespace, 'list');
    return this.#api.get(pathOf({ namespace, name }), namespace, 'get');
  }

  /** By the API server's clock, as it stands now. */
  now(): LeaseStatus[] {
    const now = this.#wall() + this.#clockOffsetMs;
    const sorted = [...this.#leases].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, lease]) => statusOf(lease, now));
  }

  /** Watches from the last list on. */
  follow(onChange: () => void): Watcher {
    const isSingle = this.#name !== undefined;
    const query = isSingle ? `?fieldSelector=metadata.name%3D${this.#name}&` : '?';
    return this.#api.watch(this.#path + query, isSingle, this.#listed, {
      wants: (name) => !isSingle || name === this.#name,
      event: (event) => {
        this.#take(event);
        onChange();
      },
      live: (on) => (this.#isLive = on),
      gap: () => (this.#isStale = true),
      refused: () => undefined,
    });
  }

  #wall(): number {
    return this.clock.now().wall;
  }

  #take(event: LeaseEvent): void {
    if (event.kind !== 'lease' || (event.version ?? 0n) <= this.#listed) return;
    const key = keyOf(event);
    if (event.news.kind === 'present') this.#leases.set(key, event.news.lease);
    else this.#leases.delete(key);
  }
}
