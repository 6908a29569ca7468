import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** One program of the control plane: started, paused and started again with the same arguments. */
export class Daemon {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(command: string, args: readonly string[], logFile: string) {
    this.#command = command;
    this.#args = args;
    this.#logFile = logFile;
  }

  start(): void {
    const log = openSync(this.#logFile, 'a');
    const child = spawn(this.#command, this.#args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve()).once('error', () => resolve());
    });
    // A process that forgets to stop a control plane is not kept alive by it: the watchdog ends it.
    child.unref();
  }

  /** Undefined before the first start, and when that failed. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Undefined while the program runs, else the end of its log. */
  get failure(): string | undefined {
    const child = this.#child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      return undefined;
    }
    return `${this.#command} is not running:\n${this.logTail()}`;
  }

  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-3000);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the program and waits until it is gone. SIGKILL ends a paused one too. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#child?.ref();
    this.signal(signal);
    await this.#exited;
  }
}

/** A loopback port that was free a moment ago; another process may still take it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
