import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Ends processes and removes a folder once this process is gone, however it ended. */
export class Guard {
  readonly #child: ChildProcess;

  constructor(folder: string) {
    const script = fileURLToPath(new URL('watchdog.js', import.meta.url));
    // A group of its own, so that an interrupt from the keyboard leaves it to do its work.
    this.#child = spawn(process.execPath, [script, folder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.unref();
    // The pipe is a socket, but its type does not say so.
    if (this.#child.stdin instanceof Socket) this.#child.stdin.unref();
  }

  /** These and no others, from now on: an id may be another process's later. */
  watch(pids: readonly number[]): void {
    this.#child.stdin?.write(`pids ${pids.join(' ')}\n`);
  }

  /** All is cleaned up already. */
  dismiss(): void {
    this.#child.stdin?.end('done\n');
  }
}
