import { spawn, type ChildProcess } from 'node:child_process';
import { exitCodes } from './exit-codes.js';
import { exitCodeOfSignal } from '../shutdown.js';
import type { Terminal } from './terminal.js';

/** A command line, and what its environment has beside ours. */
export interface Order {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Windows knows no groups of processes. */
const HAS_GROUPS = process.platform !== 'win32';

/**
 * A command that runs, with all that it starts in turn: they are a process group of their own, so that
 * signals reach each of them, once, whether they came from a terminal or not.
 */
export class Work {
  /** Exit code as a shell tells it: 128 and the number of the signal that ended it, 126 or 127 when it did not run. */
  readonly exited: Promise<number>;
  readonly #process: ChildProcess;
  readonly #terminal: Terminal;
  #isOver = false;

  constructor({ command: [file = '', ...args], environment }: Order, terminal: Terminal) {
    this.#terminal = terminal;
    this.#process = spawn(file, args, {
      stdio: 'inherit',
      detached: HAS_GROUPS,
      env: { ...process.env, ...environment },
    });
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error: NodeJS.ErrnoException) => {
        this.#isOver = true;
        terminal.tell(`cannot run ${file}: ${error.message}`);
        resolve(error.code === 'ENOENT' ? exitCodes.notFound : exitCodes.notExecutable);
      });
      this.#process.once('exit', (code, signal) => {
        this.#isOver = true;
        resolve(code ?? exitCodeOfSignal(signal ?? 'SIGKILL'));
      });
    });
  }

  /** Sends a signal to the command and all that it started, while the command runs. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.#send(signal);
  }

  /** Asks it to end, and ends it and all that it started after so long, or when it has ended. */
  end(killAfterMs: number): void {
    if (this.#isOver) return;
    this.signal('SIGTERM');
    const kill = (): void => this.#send('SIGKILL');
    const timer = setTimeout(kill, killAfterMs);
    void this.exited.then(() => {
      clearTimeout(timer);
      kill();
    });
  }

  #send(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      if (HAS_GROUPS) process.kill(-pid, signal);
      else this.#process.kill(signal);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // None of them is left.
      if (code !== 'ESRCH') this.#terminal.tell(`cannot send ${signal} to the command: ${message}`);
    }
  }
}
