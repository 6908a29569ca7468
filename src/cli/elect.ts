import { Command, Option } from 'commander';
import { Election, type Leading } from '../index.js';
import { parseDuration } from './arguments.js';
import { Belief } from './belief.js';
import { addClusterOptions, openCluster, type ClusterOptions } from './cluster.js';
import { environmentOf } from './environment.js';
import { Interruption, Interrupts, exitCodeOfSignal } from './interrupt.js';
import type { Context } from './terminal.js';
import { addTimingOptions, timingsOf, type TimingOptions } from './timings.js';
import { Work } from './work.js';

interface ElectArguments extends ClusterOptions, TimingOptions {
  readonly identity?: string;
  readonly drainTimeout: number;
  readonly verbose?: true;
}

const EXAMPLES = `
Examples:
  # one of all replicas runs it at a time; another one when that one ends, crashes or loses touch
  metaparticle-sync elect payments-controller -- ./controller

When the lease is lost the command gets SIGTERM, then SIGKILL before anyone else may lead, and this program
campaigns again: the command starts anew in the next term. When the command ends by itself, the lease is
released and this program ends with its exit code, so that its pod is started again or not as it says.`;

export function electCommand(context: Context): Command {
  const command = new Command('elect')
    .summary('run a command while leading')
    .description('Run a command while being the leader; start it again in the next term.')
    .argument('<name>', 'name of the election, which is that of its Lease')
    .argument('<command...>', 'after --: what to run, with its arguments')
    .addOption(
      new Option('--drain-timeout <duration>', 'the lease is kept so long for a command that ends')
        .argParser(parseDuration)
        .default(30_000, '30s'),
    )
    .option('--identity <name>', 'shown as the leader (default: POD_NAME, or host name and random)')
    .option('-v, --verbose', 'tell who leads, and why a term ended')
    .addHelpText('after', EXAMPLES);
  addTimingOptions(addClusterOptions(command));
  return command.action(async (name: string, work: string[], options: ElectArguments) => {
    context.end(await elect(name, work, options, context));
  });
}

async function elect(
  name: string,
  command: readonly string[],
  options: ElectArguments,
  { terminal }: Context,
): Promise<number> {
  const timings = timingsOf(options);
  using interrupts = new Interrupts();
  const cluster = await openCluster(options, terminal);
  const { client, namespace } = cluster;
  using belief = new Belief(`${namespace}/${name}`);
  const remark = (text: string): void => {
    if (options.verbose) terminal.tell(`election ${namespace}/${name}: ${text}`);
  };
  const done = new AbortController();
  const ends: number[] = [];
  const election = new Election(name, {
    client,
    ...timings,
    drainTimeoutMs: options.drainTimeout,
    onStartedLeading: async (term) => {
      const environment = environmentOf(cluster, name, term.fencingToken);
      const work = new Work({ command, environment }, terminal);
      interrupts.passOnTo((signal) => {
        // What was stopped goes on only under the lease.
        if (signal !== 'SIGCONT' || election.isLeader()) work.signal(signal);
      });
      const graceMs = (): number => options.killAfter - belief.overMs;
      const code = await endOf(work, term, graceMs, interrupts.asked);
      // A command that was ended for a loss is not what this program is asked about.
      if (!term.lostSignal.aborted) ends.push(code);
      if (!term.signal.aborted) done.abort();
    },
    onStoppedLeading: (reason) => remark(`stopped leading, ${reason}`),
    onNewLeader: (leader) => remark(leader === null ? 'nobody leads' : `${leader} leads`),
  });
  try {
    remark('campaigns');
    await election.run({ signal: AbortSignal.any([done.signal, interrupts.asked]) });
  } finally {
    await client.close();
  }
  return ends.at(-1) ?? exitCodeOf(interrupts);
}

/** Runs until it ends by itself, or has to. */
function endOf(
  work: Work,
  { signal, lostSignal }: Leading,
  graceMs: () => number,
  asked: AbortSignal,
): Promise<number> {
  const windDown = (): void => {
    // Else the very signal that asked for it was passed on.
    if (!asked.aborted) work.signal('SIGTERM');
  };
  const kill = (): void => work.end(graceMs());
  signal.addEventListener('abort', windDown, { once: true });
  lostSignal.addEventListener('abort', kill, { once: true });
  return work.exited;
}

function exitCodeOf({ asked }: Interrupts): number {
  const { reason } = asked as { reason: unknown };
  return reason instanceof Interruption ? exitCodeOfSignal(reason.signal) : 0;
}
