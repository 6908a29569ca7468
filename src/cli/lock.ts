import { Command, Option } from 'commander';
import { Lock, isSyncError, type LockHandle } from '../index.js';
import { parseDuration, parseExitCode } from './arguments.js';
import { Belief } from './belief.js';
import { addClusterOptions, openCluster, type ClusterOptions } from './cluster.js';
import { environmentOf } from './environment.js';
import { exitCodes } from './exit-codes.js';
import { Interrupts } from './interrupt.js';
import type { Context, Terminal } from './terminal.js';
import { addTimingOptions, timingsOf, type TimingOptions } from './timings.js';
import { Work } from './work.js';

interface LockArguments extends ClusterOptions, TimingOptions {
  readonly identity?: string;
  readonly timeout?: number;
  readonly wait: boolean;
  readonly conflictExitCode: number;
  readonly verbose?: true;
}

const EXAMPLES = `
Examples:
  # at most one at a time in the whole cluster; wait for the others
  metaparticle-sync lock nightly-report -- ./report.sh

  # give up when somebody else is at it
  metaparticle-sync lock nightly-report --no-wait -- ./report.sh
  metaparticle-sync lock nightly-report --timeout 30s -- ./report.sh

The command finds METAPARTICLE_SYNC_TOKEN in its environment, a number that grows with every acquisition:
store it with what you write, and refuse lower ones. When the lock is lost the command gets SIGTERM, then
SIGKILL before anyone else may hold the lock.`;

export function lockCommand(context: Context): Command {
  const command = new Command('lock')
    .summary('run a command while holding a lock')
    .description('Run a command while holding the lock of that name; then release it.')
    .argument('<name>', 'name of the lock, which is that of its Lease')
    .argument('<command...>', 'after --: what to run, with its arguments')
    .addOption(
      new Option('--timeout <duration>', 'give up after so long (default: never)')
        .argParser(parseDuration)
        .conflicts('wait'),
    )
    .option('--no-wait', 'give up at once when somebody holds it')
    .addOption(
      new Option('-E, --conflict-exit-code <number>', 'exit code when the lock was not to be had')
        .argParser(parseExitCode)
        .default(exitCodes.notAcquired),
    )
    .option('--identity <name>', 'shown as the holder (default: POD_NAME, or host name and random)')
    .option('-v, --verbose', 'tell when the lock is asked for and acquired')
    .addHelpText('after', EXAMPLES);
  addTimingOptions(addClusterOptions(command));
  return command.action(async (name: string, work: string[], options: LockArguments) => {
    context.end(await lock(name, work, options, context));
  });
}

async function lock(
  name: string,
  command: readonly string[],
  options: LockArguments,
  { terminal }: Context,
): Promise<number> {
  const timings = timingsOf(options);
  using interrupts = new Interrupts();
  const cluster = await openCluster(options, terminal);
  const { client, namespace } = cluster;
  using belief = new Belief(`${namespace}/${name}`);
  const remark = (text: string): void => {
    if (options.verbose) terminal.tell(`lock ${namespace}/${name} ${text}`);
  };
  try {
    remark('is asked for');
    const handle = await acquire(new Lock(name, { client, ...timings }), options, interrupts);
    if (handle === null) {
      terminal.tell(`lock ${namespace}/${name} is held by somebody else`);
      return options.conflictExitCode;
    }
    remark(`was acquired with token ${handle.fencingToken}`);
    const environment = environmentOf(cluster, name, handle.fencingToken);
    const work = new Work({ command, environment }, terminal);
    interrupts.passOnTo((signal) => {
      // What was stopped goes on only under the lock.
      if (signal !== 'SIGCONT' || handle.isHeld()) work.signal(signal);
    });
    const graceMs = (): number => options.killAfter - belief.overMs;
    return await endOf(work, handle, graceMs, terminal);
  } catch (error) {
    if (!isSyncError(error, 'ERR_ACQUIRE_TIMEOUT')) throw error;
    terminal.tell(error.message);
    return options.conflictExitCode;
  } finally {
    await client.close();
  }
}

function acquire(
  lock: Lock,
  { wait, timeout }: LockArguments,
  { asked: signal }: Interrupts,
): Promise<LockHandle | null> {
  return wait ? lock.acquire({ signal, timeoutMs: timeout }) : lock.tryAcquire({ signal });
}

/** Waits for the command under the lock, which ends it when it is lost. */
async function endOf(
  work: Work,
  handle: LockHandle,
  graceMs: () => number,
  terminal: Terminal,
): Promise<number> {
  const onLoss = (): void => work.end(graceMs());
  handle.signal.addEventListener('abort', onLoss, { once: true });
  if (!handle.isHeld()) onLoss();
  const code = await work.exited;
  const { loss } = handle;
  await handle.release();
  if (loss === null) return code;
  terminal.tell(`${loss.message}; the command ended with ${code}`);
  return exitCodes.lost;
}
