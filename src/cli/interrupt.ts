import { ENDING } from './child-command.js';

/** Those that say something else, which only the command knows. */
const TELLING = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

/** Why a wait was called off: a signal asked this program to end. */
export class Interruption extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

/** Resolves when the signal is aborted, also if it is so already. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/**
 * The signals that this process gets. They abort `asked` when they ask it to end; all of them go to whoever
 * has them passed on, from then on.
 */
export class Interrupts implements Disposable {
  readonly #asked = new AbortController();
  readonly #listeners: (readonly [NodeJS.Signals, () => void])[];
  #passOn: ((signal: NodeJS.Signals) => void) | null = null;

  constructor() {
    this.#listeners = [
      ...[...ENDING, ...TELLING, 'SIGCONT' as const].map(
        (signal) => [signal, () => this.#hear(signal)] as const,
      ),
      ['SIGTSTP', () => this.#stop()],
    ];
    for (const [signal, listener] of this.#listeners) process.on(signal, listener);
  }

  /** Aborted, with an {@link Interruption}, by the first signal that asks to end. */
  get asked(): AbortSignal {
    return this.#asked.signal;
  }

  passOnTo(receiver: (signal: NodeJS.Signals) => void): void {
    this.#passOn = receiver;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  /** The command first: it must not go on while nobody renews its lease. */
  #stop(): void {
    this.#passOn?.('SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  }

  #hear(signal: NodeJS.Signals): void {
    this.#passOn?.(signal);
    if (ENDING.some((one) => one === signal)) this.#asked.abort(new Interruption(signal));
  }
}
