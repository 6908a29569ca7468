import type { Command } from 'commander';
import type { LeaseClient } from '../index.js';
import { Belief } from './belief.js';
import { addClusterOptions, openCluster, type Cluster, type ClusterOptions } from './cluster.js';
import { environmentOf } from './environment.js';
import { Interrupts } from './interrupt.js';
import type { Terminal } from './terminal.js';
import { addTimingOptions, timingsOf, type TimingOptions } from './timings.js';
import { Work } from './work.js';

/** Of every command that runs another one under a lease. */
export interface RunArguments extends ClusterOptions, TimingOptions {
  readonly identity?: string;
  readonly verbose?: true;
}

/** @param of who goes by the identity; `remarks`: what is told with --verbose */
export function addRunOptions(command: Command, of: string, remarks: string): Command {
  command
    .argument('<command...>', 'after --: what to run, with its arguments')
    .option('--identity <name>', `shown as the ${of} (default: POD_NAME, or host name and random)`)
    .option('-v, --verbose', remarks);
  return addTimingOptions(addClusterOptions(command));
}

interface Parts {
  readonly name: string;
  readonly command: readonly string[];
  readonly options: RunArguments;
  readonly terminal: Terminal;
  readonly timings: ReturnType<typeof timingsOf>;
  readonly interrupts: Interrupts;
  readonly cluster: Cluster;
}

/** What a command line is to run, and all that it takes to run and to end it under a lease. */
export class Run implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #belief: Belief;

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

  get timings(): Parts['timings'] {
    return this.#parts.timings;
  }

  get interrupts(): Interrupts {
    return this.#parts.interrupts;
  }

  /** `namespace/name` */
  get label(): string {
    const { cluster, name } = this.#parts;
    return `${cluster.namespace}/${name}`;
  }

  /** What is left of the time between SIGTERM and SIGKILL. */
  get graceMs(): number {
    return this.#parts.options.killAfter - this.#belief.overMs;
  }

  /** Told with --verbose only. */
  remark(text: string): void {
    const { options, terminal } = this.#parts;
    if (options.verbose) terminal.tell(text);
  }

  /** Starts the command for a term. It gets the signals of this process from now on. */
  start(token: bigint, isHeld: () => boolean): Work {
    const { name, command, terminal, interrupts, cluster } = this.#parts;
    const work = new Work({ command, environment: environmentOf(cluster, name, token) }, terminal);
    interrupts.passOnTo((signal) => {
      // What was stopped goes on only under the lease.
      if (signal !== 'SIGCONT' || isHeld()) work.signal(signal);
    });
    return work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    this.#belief[Symbol.dispose]();
    this.interrupts[Symbol.dispose]();
  }
}
