/**
 * A command that runs under a lease, and when it has ended.
 *
 * The command is a process group of its own, so that a signal reaches the command and all that it started, once. Often
 * the command is a wrapper (`sh -c`, `npm`, an entry point) that dies by the signal at once while its child winds down.
 * The lease is for the work, so the command has ended
 * - by itself: when its first process has ended, whatever that leaves in the background on purpose;
 * - after a signal of ours, or by a signal: when no process of the group runs any more.
 *
 * While it has not ended, it does not outlive this program: it is killed on exit, and by a watchdog where this program
 * cannot do that. A command in the foreground has no group: there all of this holds for its first process alone, and
 * there is no watchdog.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { exitCodeOfSignal } from '../shutdown.js';
import { exitCodes } from './exit-codes.js';
import { hasMembers } from './process-group.js';
import { EXPLAINED_AFTER_MS, type Terminal } from './terminal.js';
import { Watchdog } from './watchdog.js';

/** A command line, and what its environment has beside ours. */
export interface Order {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** It stays in the process group of this program, and so at the terminal. */
  readonly foreground: boolean;
}

/** Pauses between two looks whether a process of the group is left. */
const LOOK_MS = { first: 50, last: 1_000 };

/** What a terminal sends to all processes in its foreground by itself. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGWINCH'];

export class ChildCommand {
  /**
   * When the command has ended (see above). The exit code of its first process as a shell has it: 128 and the number
   * of the signal that ended it, 126 or 127 when it could not be run.
   */
  readonly ended: Promise<number>;
  readonly #process: ChildProcess;
  readonly #terminal: Terminal;
  readonly #hasGroup: boolean;
  readonly #onExit = (): void => this.#send('SIGKILL');
  readonly #watchdog: Watchdog | null;
  #isLeaderGone = false;
  #hasEnded = false;
  #wasSignalled = false;
  #wasTerminated = false;
  #killTimer: NodeJS.Timeout | undefined;

  constructor({ command, environment, foreground }: Order, terminal: Terminal) {
    const [file = '', ...args] = command;
    this.#terminal = terminal;
    // Windows knows no groups of processes.
    this.#hasGroup = process.platform !== 'win32' && !foreground;
    this.#watchdog = this.#hasGroup ? new Watchdog() : null;
    this.#process = spawn(file, args, {
      stdio: 'inherit',
      detached: this.#hasGroup,
      env: { ...process.env, ...environment },
    });
    const { pid } = this.#process;
    // First, so that whatever fails from here on leaves no command behind.
    if (pid !== undefined) this.#watchdog?.watch(pid);
    process.once('exit', this.#onExit);
    this.ended = this.#run(file);
  }

  /** Sends a signal to the command and all that it started, unless it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#hasEnded) return;
    // The terminal has sent it to all of them.
    if (!this.#hasGroup && process.stdin.isTTY && OF_TERMINAL.includes(signal)) return;
    if (signal === 'SIGTERM') {
      if (this.#wasTerminated) return;
      this.#wasTerminated = true;
    }
    if (ENDING.includes(signal)) this.#wasSignalled = true;
    this.#send(signal);
  }

  /** Asks it to end, unless that was done before, and kills what is left of it after `killAfterMs`. */
  end(killAfterMs: number): void {
    if (this.#hasEnded) return;
    this.signal('SIGTERM');
    this.#wasSignalled = true;
    this.#killTimer ??= setTimeout(() => this.#send('SIGKILL'), Math.max(0, killAfterMs));
  }

  async #run(file: string): Promise<number> {
    const code = await this.#leaderEnded(file);
    this.#isLeaderGone = true;
    if (this.#wasSignalled && this.#hasGroup) await this.#groupEnded();
    this.#hasEnded = true;
    clearTimeout(this.#killTimer);
    process.off('exit', this.#onExit);
    this.#watchdog?.dismiss();
    return code;
  }

  #leaderEnded(file: string): Promise<number> {
    return new Promise((resolve) => {
      this.#process.on('error', (error: NodeJS.ErrnoException) => {
        // Of a command that runs it says nothing about its end.
        if (this.#process.pid !== undefined) return;
        this.#terminal.tell(`cannot run ${file}: ${error.message}`);
        resolve(error.code === 'ENOENT' ? exitCodes.notFound : exitCodes.notExecutable);
      });
      this.#process.once('exit', (code, signal) => {
        if (signal !== null) this.#wasSignalled = true;
        resolve(code ?? exitCodeOfSignal(signal ?? 'SIGKILL'));
      });
    });
  }

  async #groupEnded(): Promise<void> {
    const { pid } = this.#process;
    if (pid === undefined) return;
    const explain = setTimeout(() => {
      this.#terminal.tell(
        'the command has ended, but processes that it started run on: the lease is kept until they have ended',
      );
    }, EXPLAINED_AFTER_MS);
    // Each look reads all of /proc: the longer it lasts, the more seldom.
    for (
      let pauseMs = LOOK_MS.first;
      hasMembers(pid);
      pauseMs = Math.min(pauseMs * 2, LOOK_MS.last)
    ) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    clearTimeout(explain);
  }

  #send(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined || this.#hasEnded) return;
    try {
      if (this.#hasGroup) process.kill(-pid, signal);
      else if (!this.#isLeaderGone) process.kill(pid, signal);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // None of them is left.
      if (code !== 'ESRCH') this.#terminal.tell(`cannot send ${signal} to the command: ${message}`);
    }
  }
}

/** Signals that ask a process to end. */
export const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
