// Ctrl-C and its like: the demo ends what it started before it goes.
import { constants } from 'node:os';
import { ENDING_SIGNALS } from './messages.js';

export class Interruption extends Error {
  /** The exit status of a program that a signal has ended. */
  readonly status: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted (${signal})`);
    this.status = 128 + constants.signals[signal];
  }
}

/** Aborted by the first of these signals; a second one ends the process without further ado. */
export function interruptible(): AbortController {
  const abort = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    const interruption = new Interruption(signal);
    if (abort.signal.reason instanceof Interruption) process.exit(interruption.status);
    abort.abort(interruption);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, interrupt);
  // Whoever read what is printed here has gone.
  process.stdout.on('error', () => abort.abort(new Interruption('SIGPIPE')));
  return abort;
}
