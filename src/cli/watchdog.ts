/** What ends a command when this program is killed and can end nothing itself any more. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const SHELL = '/bin/sh';
/** `read` fails at the end of the pipe: this program is gone. A line dismisses the watchdog. */
const SCRIPT = 'read -r line || kill -s KILL -- "-$1"';

/**
 * A shell in a session of its own that waits on a pipe from this process. When the pipe ends without a word, since
 * this process was killed or ran out of memory, the shell kills the group.
 *
 * As process 1 there is none: the end of process 1 ends its container. Nor is there one without a shell.
 *
 * @returns what dismisses it
 */
export function watchOver(pgid: number): () => void {
  const isNeeded = process.platform === 'linux' && process.pid !== 1;
  if (!isNeeded || !existsSync(SHELL)) return () => undefined;
  const shell = spawn(SHELL, ['-c', SCRIPT, 'metaparticle-sync-watchdog', String(pgid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // What the environment tells the command is not for the watchdog.
    env: {},
    cwd: '/',
  });
  const { stdin } = shell;
  // The command runs without a watchdog where none can be started.
  shell.on('error', () => undefined);
  stdin.on('error', () => undefined);
  shell.unref();
  (stdin as { unref?: () => void }).unref?.();
  return () => stdin.end('\n');
}
