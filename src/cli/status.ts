import { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { asObject, parseJson } from '../lease/kube/json.js';
import { LineSplitter } from '../lease/kube/lines.js';
import { pathOf } from '../lease/kube/store.js';
import { decodeLease } from '../lease/kube/wire.js';
import { keyOf, type Lease } from '../lease/record.js';
import type { Answer } from '../lease/kube/transport.js';
import { Api } from './api.js';
import { addClusterOptions, addOutputOption, openCluster, type ClusterOptions } from './cluster.js';
import { exitCodes } from './exit-codes.js';
import { Interrupts } from './interrupt.js';
import { readLeases, statusOf, type LeaseStatus } from './leases.js';
import { Printer } from './printer.js';
import type { Context } from './terminal.js';

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
  using api = new Api(cluster.kubeConfig);
  const isEverywhere = options.allNamespaces === true;
  const look = new Look(api, isEverywhere ? '' : cluster.namespace, name);
  const printer = new Printer(terminal, options.output, isEverywhere);
  const found = await look.list();
  if (found.length === 0 && name !== undefined && options.watch === undefined) {
    terminal.tell(`there is no Lease ${cluster.namespace}/${name}`);
    return exitCodes.notAcquired;
  }
  printer.print(found);
  if (options.watch === true) await watch(look, printer, interrupts.asked);
  return 0;
}

const TICK_MS = 1_000;

/** What became overdue is told as well, although nothing happened to it. */
async function watch(look: Look, printer: Printer, signal: AbortSignal): Promise<void> {
  const timer = setInterval(() => printer.printChanges(look.now()), TICK_MS);
  try {
    for (;;) {
      await look.follow(printer, signal);
      if (signal.aborted) return;
      printer.printChanges(await look.list());
    }
  } finally {
    clearInterval(timer);
  }
}

/** The leases that were asked for, as last heard of. */
class Look {
  readonly #api: Api;
  readonly #namespace: string;
  readonly #path: string;
  readonly #leases = new Map<string, Lease>();
  readonly #name: string | undefined;
  #version = '0';
  #clockOffsetMs = 0;

  constructor(api: Api, namespace: string, name: string | undefined) {
    this.#api = api;
    this.#namespace = namespace;
    this.#path =
      namespace === '' ? '/apis/coordination.k8s.io/v1/leases' : pathOf({ namespace, name: '' });
    this.#name = name;
  }

  async list(): Promise<LeaseStatus[]> {
    const { body, answeredAt } = await this.#ask();
    if (answeredAt !== null) this.#clockOffsetMs = answeredAt - Date.now();
    const { version, leases } = readLeases(body);
    this.#version = version;
    this.#leases.clear();
    for (const lease of leases) this.#leases.set(keyOf(lease.key), lease);
    return this.now();
  }

  /** One of a name is read by its name, for which those who may use it have the right. */
  #ask(): Promise<Answer> {
    const [namespace, name] = [this.#namespace, this.#name];
    if (name === undefined) return this.#api.get(this.#path, namespace, 'list');
    return this.#api.get(pathOf({ namespace, name }), namespace, 'get');
  }

  /** As of now, by the API server's clock. */
  now(): LeaseStatus[] {
    const now = this.#serverNow();
    const sorted = [...this.#leases].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, lease]) => statusOf(lease, now));
  }

  /** Hears of changes until the connection ends. Where no watch is to be had, one look every two seconds does. */
  async follow(printer: Printer, signal: AbortSignal): Promise<void> {
    const lines = new LineSplitter(
      (line) => this.#hear(line, printer),
      () => undefined,
    );
    const query = new URLSearchParams({
      ...{ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: this.#version },
      ...(this.#name === undefined ? {} : { fieldSelector: `metadata.name=${this.#name}` }),
    });
    const sink = { live: () => undefined, chunk: (chunk: Buffer) => lines.push(chunk) };
    const end = await this.#api.follow(`${this.#path}?${query.toString()}`, sink, signal);
    if (end.kind !== 'ended')
      await sleep(2 * TICK_MS, undefined, { signal }).catch(() => undefined);
  }

  /** Bookmarks and errors are about no lease. */
  #hear(line: string, printer: Printer): void {
    const { type, object } = asObject(parseJson(line));
    const lease = decodeLease(object);
    if (lease === null) return;
    const key = keyOf(lease.key);
    if (type === 'DELETED') {
      this.#leases.delete(key);
      printer.printDeletion(key);
    } else {
      this.#leases.set(key, lease);
      printer.printChange(statusOf(lease, this.#serverNow()));
    }
  }

  #serverNow(): number {
    return Date.now() + this.#clockOffsetMs;
  }
}
