import type { Command } from 'commander';
import { hostOf } from '../client.js';
import type { LeaseClient } from '../index.js';
import { Belief } from './belief.js';
import { addClusterOptions, openCluster, type Cluster, type ClusterOptions } from './cluster.js';
import { environmentOf } from './environment.js';
import { Interrupts } from './interrupt.js';
import type { Terminal } from './terminal.js';
import { addTimingOptions, timingsOf, type TimingOptions, type Timings } from './timings.js';
import { ChildCommand } from './child-command.js';

/** Of every command that runs another one under a lease. */
export interface RunArguments extends ClusterOptions, TimingOptions {
  readonly identity?: string;
  readonly verbose?: true;
  readonly foreground?: true;
}

/** @param of who goes by the identity; `remarks`: what is told with --verbose */
export function addRunOptions(command: Command, of: string, remarks: string): Command {
  command
    .argument('<command...>', 'after --: what to run, with its arguments')
    .option('--identity <name>', `shown as the ${of} (default: POD_NAME, or host name and random)`)
    .option('--foreground', 'leave the command at the terminal: no process group of its own')
    .option('-v, --verbose', remarks);
  return addTimingOptions(addClusterOptions(command));
}

interface Parts {
  readonly name: string;
  readonly command: readonly string[];
  readonly options: RunArguments;
  readonly terminal: Terminal;
  readonly timings: Timings;
  readonly interrupts: Interrupts;
  readonly cluster: Cluster;
}

/** What a command line is to run, and all that it takes to run and to end it under a lease. */
export class Run implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #belief: Belief;
  #child: ChildCommand | undefined;

  /** @throws NoClusterConfigError, InvalidOptionError */
  static async open(
    name: string,
    command: readonly string[],
    options: RunArguments,
    terminal: Terminal,
  ): Promise<Run> {
    const timings = timingsOf(options);
    // From the start on: a signal that comes now ends the wait as any other does.
    const interrupts = new Interrupts();
    try {
      const cluster = await openCluster(options, terminal);
      return new Run({ name, command, options, terminal, timings, interrupts, cluster });
    } catch (error) {
      interrupts[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#belief = new Belief(this.label);
  }

  get client(): LeaseClient {
    return this.#parts.cluster.client;
  }

  get timings(): Timings['lease'] {
    return this.#parts.timings.lease;
  }

  get interrupts(): Interrupts {
    return this.#parts.interrupts;
  }

  /** `namespace/name` */
  get label(): string {
    const { cluster, name } = this.#parts;
    return `${cluster.namespace}/${name}`;
  }

  /** The holder as last seen; `null` when none was. */
  async holder(): Promise<string | null> {
    const { name, cluster } = this.#parts;
    const host = hostOf(cluster.client);
    return host.view({ namespace: cluster.namespace, name }, await host.connect()).holder;
  }

  /** What is left of the time between SIGTERM and SIGKILL. */
  get graceMs(): number {
    return this.#parts.timings.killAfterMs - this.#belief.overMs;
  }

  /** Told with --verbose only. */
  remark(text: string): void {
    const { options, terminal } = this.#parts;
    if (options.verbose) terminal.tell(text);
  }

  /** Starts the command for a term. It gets the signals of this process from now on. */
  start(token: bigint, isHeld: () => boolean): ChildCommand {
    const { name, command, options, terminal, interrupts, cluster } = this.#parts;
    const environment = environmentOf(cluster, name, token);
    const foreground = options.foreground === true;
    const child = new ChildCommand({ command, environment, foreground }, terminal);
    this.#child = child;
    interrupts.passOnTo((signal) => {
      // What was stopped goes on only under the lease.
      if (signal !== 'SIGCONT' || isHeld()) child.signal(signal);
    });
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    // Signals are taken care of for as long as there is a command that they may be about.
    await this.#child?.ended;
    this.#belief[Symbol.dispose]();
    this.interrupts[Symbol.dispose]();
  }
}
