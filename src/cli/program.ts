import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { isSyncError, type SyncError } from '../index.js';
import { breakCommand } from './break.js';
import { doctorCommand } from './doctor.js';
import { electCommand } from './elect.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { exitCodeOfSignal } from '../shutdown.js';
import { Interruption } from './interrupt.js';
import { lockCommand } from './lock.js';
import { rbacCommand } from './rbac.js';
import { statusCommand } from './status.js';
import { Terminal, type Context, type Output } from './terminal.js';

const EXIT_CODES = `
Exit codes: that of the command that was run, ${exitCodes.notAcquired} lock not acquired, ${exitCodes.usage} wrong usage, ${exitCodes.unavailable} API server
unavailable, ${exitCodes.internal} error of this program, ${exitCodes.lost} lock lost, ${exitCodes.notAllowed} not allowed, ${exitCodes.config} no usable configuration, ${exitCodes.notExecutable} command not executable,
${exitCodes.notFound} command not found, 128 + n ended by signal n.`;

const HINT = '(--help shows what there is; a command to run goes after --)';

const COMMANDS = [
  ...[lockCommand, electCommand],
  ...[statusCommand, breakCommand, rbacCommand, doctorCommand],
];

/** Runs one command line to its end. Never rejects. @returns the exit code */
export async function run(
  argv: readonly string[],
  stdout: Output,
  stderr: Output,
): Promise<number> {
  const terminal = new Terminal(stdout, stderr);
  let exitCode = 0;
  const output = { isJson: false };
  const context = { terminal, end: (code: number) => (exitCode = code) };
  try {
    const program = programOf(context, stdout, stderr);
    program.hook('preAction', (_, command) => {
      output.isJson = command.opts<{ readonly output?: string }>().output === 'json';
    });
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (output.isJson && isSyncError(error)) terminal.printJson({ error });
    return failed(error, terminal);
  }
}

/** The commands; what they do is said to the context. */
export function programOf(context: Context, stdout: Output, stderr: Output): Command {
  const program = new Command('metaparticle-sync')
    .version(version(), '-V, --version', 'print the version')
    .description('Locks and leader election on Kubernetes Leases, for commands in any language.')
    .addHelpText('after', EXIT_CODES);
  for (const make of COMMANDS) program.addCommand(make(context));
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError(HINT)
      .configureOutput({
        writeOut: (text) => stdout.write(text),
        writeErr: (text) => stderr.write(text),
      });
  }
  return program;
}

/** Of the package that this file belongs to. */
function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Options of the library, as they are called here. */
const FLAGS: Readonly<Record<string, string>> = {
  leaseDurationMs: '--lease-duration',
  renewIntervalMs: '--renew-interval',
  marginMs: '--margin',
  drainTimeoutMs: '--drain-timeout',
  timeoutMs: '--timeout',
  identity: '--identity',
  namespace: '--namespace',
  context: '--context',
};

/** The library speaks of its options, and what it advises for a missing configuration is for programs. */
function wordsOf(error: SyncError): string {
  if (isSyncError(error, 'ERR_INVALID_OPTION')) {
    return error.message.replace(/\b[a-z]+(?:[A-Z][a-z]+)*\b/g, (word) => FLAGS[word] ?? word);
  }
  if (!isSyncError(error, 'ERR_NO_CLUSTER_CONFIG')) return error.message;
  const looked = error.looked.join(', ');
  return `no cluster configuration that can be used; looked at: ${looked}. --kubeconfig names one`;
}

function failed(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    // Its message is out already.
    return error.exitCode === 0 ? 0 : exitCodes.usage;
  }
  if (error instanceof Interruption) return exitCodeOfSignal(error.signal);
  if (isSyncError(error)) {
    terminal.tell(wordsOf(error));
    return exitCodeOf[error.code as keyof typeof exitCodeOf];
  }
  terminal.tell(`internal error: ${error instanceof Error ? error.message : String(error)}`);
  return exitCodes.internal;
}
