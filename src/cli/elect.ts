import { Command, Option } from 'commander';
import { Election, type Leading } from '../index.js';
import { exitCodeOfSignal } from '../shutdown.js';
import { parseDuration } from './arguments.js';
import { Interruption, type Interrupts } from './interrupt.js';
import type { ChildCommand } from './child-command.js';
import { Run, addRunOptions, type RunArguments } from './run.js';
import type { Context } from './terminal.js';

interface ElectArguments extends RunArguments {
  readonly drainTimeout: number;
  readonly recordEvents?: true;
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
    .addOption(
      new Option('--drain-timeout <duration>', 'the lease is kept so long for a command that ends')
        .argParser(parseDuration)
        .default(25_000, '25s'),
    )
    .option('--record-events', 'write Kubernetes Events: who became leader, who stopped leading')
    .addHelpText('after', EXAMPLES);
  addRunOptions(command, 'leader', 'tell who leads, and why a term ended');
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
  await using run = await Run.open(name, command, options, terminal);
  const remark = (text: string): void => run.remark(`election ${run.label}: ${text}`);
  const { asked } = run.interrupts;
  const done = new AbortController();
  const ends: number[] = [];
  const election = new Election(name, {
    client: run.client,
    ...run.timings,
    drainTimeoutMs: options.drainTimeout,
    recordEvents: options.recordEvents,
    onStartedLeading: async (term) => {
      const child = run.start(term.fencingToken, () => election.isLeader());
      const code = await endOf(child, term, run);
      // A command that was ended for a loss is not what this program is asked about.
      if (!term.lostSignal.aborted) ends.push(code);
      if (!term.signal.aborted) done.abort();
    },
    onStoppedLeading: (reason) => remark(`stopped leading, ${reason}`),
    onNewLeader: (leader) => remark(leader === null ? 'nobody leads' : `${leader} leads`),
  });
  remark('campaigns');
  await election.run({ signal: AbortSignal.any([done.signal, asked]) });
  return ends.at(-1) ?? exitCodeOf(run.interrupts);
}

/** Runs until it ends by itself, or has to. */
function endOf(child: ChildCommand, { signal, lostSignal }: Leading, run: Run): Promise<number> {
  const windDown = (): void => {
    // Else the very signal that asked for it was passed on.
    if (!run.interrupts.asked.aborted) child.signal('SIGTERM');
  };
  const kill = (): void => child.end(run.graceMs);
  signal.addEventListener('abort', windDown, { once: true });
  lostSignal.addEventListener('abort', kill, { once: true });
  return child.ended;
}

function exitCodeOf({ asked }: Interrupts): number {
  const { reason } = asked as { reason: unknown };
  return reason instanceof Interruption ? exitCodeOfSignal(reason.signal) : 0;
}
