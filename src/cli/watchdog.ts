/** What ends a command when this program is killed and can end nothing itself. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';

const SHELL = '/bin/sh';
/**
 * The first line names the group. `read` fails at the end of the pipe: this program is gone. A second line dismisses the
 * watchdog.
 */
const SCRIPT = 'read -r group || exit; read -r line || kill -s KILL -- "-$group"';

/**
 * A shell in a session of its own that waits on a pipe from this process. When the pipe ends without a word, since
 * this process was killed or ran out of memory, the shell kills the group.
 *
 * It is started before the command is. Only in the instant between the start of the command and the line that names its
 * group does the command run without it.
 *
 * As process 1 there is none: the end of process 1 ends its container. Nor is there one without a shell, or where no
 * more processes can be started: the command then runs without it.
 */
export class Watchdog {
  readonly #pipe: Writable | null;
  #hasGroup = false;

  constructor() {
    const isNeeded = process.platform === 'linux' && process.pid !== 1;
    this.#pipe = isNeeded && existsSync(SHELL) ? startShell() : null;
  }

  watch(pgid: number): void {
    this.#hasGroup = true;
    this.#pipe?.write(`${pgid}\n`);
  }

  dismiss(): void {
    this.#pipe?.end(this.#hasGroup ? '\n' : '');
  }
}

function startShell(): Writable | null {
  try {
    const shell = spawn(SHELL, ['-c', SCRIPT, 'metaparticle-sync-watchdog'], {
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
    return stdin;
  } catch {
    return null;
  }
}
