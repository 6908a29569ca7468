/** What ends a command when this program is killed and can end nothing itself. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';

const SHELL = '/bin/sh';
/** `read` fails at the end of the pipe: this program is gone. A line dismisses the watchdog. */
const SCRIPT = 'read -r line || kill -s KILL -- "-$1"';

/**
 * A shell in a session of its own that waits on a pipe from this process. When the pipe ends without a word, since
 * this process was killed or ran out of memory, the shell kills the group.
 *
 * As process 1 there is none: the end of process 1 ends its container. Nor is there one without a shell, or where no
 * more processes can be started: the command then runs without it.
 *
 * @returns what dismisses it
 */
export function startWatchdog(pgid: number): () => void {
  const isNeeded = process.platform === 'linux' && process.pid !== 1;
  if (!isNeeded || !existsSync(SHELL)) return () => undefined;
  try {
    return start(pgid);
  } catch {
    return () => undefined;
  }
}

function start(pgid: number): () => void {
  const shell = spawn(SHELL, ['-c', SCRIPT, 'metaparticle-sync-watchdog', String(pgid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // What the environment says to the command is not for the watchdog.
    env: {},
    cwd: '/',
  });
  shell.on('error', () => undefined);
  // Where the process could not be started there may be no pipe.
  const stdin = shell.stdin as (Writable & { unref?: () => void }) | null;
  stdin?.on('error', () => undefined);
  shell.unref();
  stdin?.unref?.();
  return () => void stdin?.end('\n');
}
