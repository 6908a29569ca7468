import { Command, Option } from 'commander';
import { Lock, isSyncError, type LockHandle } from '../index.js';
import { parseExitCode, parseTimeout } from './arguments.js';
import { exitCodes } from './exit-codes.js';
import { Run, addRunOptions, type RunArguments } from './run.js';
import { EXPLAINED_AFTER_MS, type Context, type Terminal } from './terminal.js';

interface LockArguments extends RunArguments {
  readonly timeout?: number;
  readonly wait: boolean;
  readonly conflictExitCode: number;
}

const EXAMPLES = `
Examples:
  # at most one at a time in the whole cluster; wait for the others
  metaparticle-sync lock settle-payments -- ./settle.sh

  # give up when another process holds it
  metaparticle-sync lock settle-payments --no-wait -- ./settle.sh
  metaparticle-sync lock settle-payments --timeout 30s -- ./settle.sh

The command finds METAPARTICLE_SYNC_TOKEN in its environment, a number that grows with every acquisition:
store it with what you write, and refuse lower ones. When the lock is lost the command gets SIGTERM, then
SIGKILL before anyone else may hold the lock.`;

export function lockCommand(context: Context): Command {
  const command = new Command('lock')
    .summary('run a command while holding a lock')
    .description('Run a command while holding the lock of that name; then release it.')
    .argument('<name>', 'name of the lock, which is that of its Lease')
    .addOption(
      new Option('--timeout <duration>', 'give up after this time (default: never)')
        .argParser(parseTimeout)
        .conflicts('wait'),
    )
    .option('--no-wait', 'give up at once when another process holds it')
    .addOption(
      new Option(
        '-E, --conflict-exit-code <number>',
        'exit code when the lock could not be acquired',
      )
        .argParser(parseExitCode)
        .default(exitCodes.notAcquired),
    )
    .addHelpText('after', EXAMPLES);
  addRunOptions(command, 'holder', 'report when the lock is waited for and acquired');
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
  await using run = await Run.open(name, command, options, terminal);
  const lock = new Lock(name, { client: run.client, ...run.timings });
  try {
    run.remark(`acquiring lock ${run.label}`);
    const handle = await acquire(lock, options, run, terminal);
    if (handle === null) {
      terminal.tell(heldBy(run.label, await run.holder()));
      return options.conflictExitCode;
    }
    run.remark(`lock ${run.label} was acquired with token ${handle.fencingToken}`);
    return await endOf(run, handle, terminal);
  } catch (error) {
    if (!isSyncError(error, 'ERR_ACQUIRE_TIMEOUT')) throw error;
    terminal.tell(error.message);
    // An API server that never said who holds it is no conflict: the exit code of one may mean success to the caller.
    const isOutage = error.holder === null && isSyncError(error.cause, 'ERR_API_UNREACHABLE');
    return isOutage ? exitCodes.unavailable : options.conflictExitCode;
  }
}

function acquire(
  lock: Lock,
  { wait, timeout }: LockArguments,
  run: Run,
  terminal: Terminal,
): Promise<LockHandle | null> {
  const { asked: signal } = run.interrupts;
  if (!wait) return lock.tryAcquire({ signal });
  const isAcquired = explainWait(run, terminal);
  return lock.acquire({ signal, timeoutMs: timeout }).finally(isAcquired);
}

const LOOK_MS = 1_000;

/** Says once which process is waited for; an API server that does not answer is a warning of the client. */
function explainWait(run: Run, terminal: Terminal): () => void {
  let timer: NodeJS.Timeout;
  let isWaiting = true;
  const look = async (): Promise<void> => {
    const holder = await run.holder().catch(() => null);
    if (!isWaiting) return;
    if (holder === null) timer = setTimeout(() => void look(), LOOK_MS);
    else terminal.tell(`waiting: ${heldBy(run.label, holder)}`);
  };
  timer = setTimeout(() => void look(), EXPLAINED_AFTER_MS);
  return () => {
    isWaiting = false;
    clearTimeout(timer);
  };
}

function heldBy(label: string, holder: string | null): string {
  return `lock ${label} is held by ${holder === null ? 'another process' : `"${holder}"`}`;
}

/** Runs the command under the lock, and ends it when that is lost. */
async function endOf(run: Run, handle: LockHandle, terminal: Terminal): Promise<number> {
  const child = run.start(handle.fencingToken, () => handle.isHeld());
  const onLoss = (): void => child.end(run.graceMs);
  handle.signal.addEventListener('abort', onLoss, { once: true });
  if (!handle.isHeld()) onLoss();
  const code = await child.ended;
  const { loss } = handle;
  await handle.release();
  if (loss === null) return code;
  terminal.tell(`${loss.message}; the command ended with ${code}`);
  return exitCodes.lost;
}
