import { constants } from 'node:os';
import { InvalidOptionError } from './errors.js';
import { systemClock } from './lease/clock.js';
import { rejectUnknown } from './options.js';

/** For {@link shutdownSignal}. */
export interface ShutdownOptions {
  /** Which signals ask the process to end. @defaultValue SIGTERM and SIGINT */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
}

const USUAL: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
/** A process that a signal ends tells its shell 128 and the number of the signal. */
const SIGNAL_BASE = 128;

/**
 * A process in a group often gets one request twice: from the terminal or the container runtime, and passed on by its
 * parent (npm, a shell, `metaparticle-sync`). What follows this soon is no second request.
 */
const ECHO_MS = 500;

const made = new Map<string, AbortSignal>();

/**
 * An AbortSignal that aborts when the process is asked to end, as Kubernetes does with SIGTERM: hand it to
 * `acquire()`, `run()` and whatever else is to wind down. Its reason is an `AbortError` that names the signal.
 *
 * From the first call on those signals do not end the process any more: it ends when nothing is left to do. A second
 * signal, more than 500 ms after the first, ends it at once, with 128 and the number of the signal as exit code; leases that are held then run
 * out by themselves. Calls with the same signals share one AbortSignal.
 *
 * @throws InvalidOptionError
 */
export function shutdownSignal(options: ShutdownOptions = {}): AbortSignal {
  rejectUnknown(options, ['signals']);
  const signals = options.signals ?? USUAL;
  check(signals);
  const key = [...signals].sort().join();
  const known = made.get(key);
  if (known !== undefined) return known;
  const controller = new AbortController();
  const shutdown: Shutdown = { controller, askedAt: -Infinity };
  for (const signal of new Set(signals)) process.on(signal, () => hear(signal, shutdown));
  made.set(key, controller.signal);
  return controller.signal;
}

/** As a shell tells the end of a program by a signal. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return SIGNAL_BASE + constants.signals[signal];
}

interface Shutdown {
  readonly controller: AbortController;
  /** Monotonic. */
  askedAt: number;
}

function hear(signal: NodeJS.Signals, shutdown: Shutdown): void {
  const { controller } = shutdown;
  const now = systemClock.monotonic();
  if (controller.signal.aborted) {
    if (now - shutdown.askedAt > ECHO_MS) process.exit(exitCodeOfSignal(signal));
    return;
  }
  shutdown.askedAt = now;
  controller.abort(new DOMException(`the process got ${signal}`, 'AbortError'));
}

function check(signals: unknown): void {
  // These end or stop a process without asking it.
  const names = Object.keys(constants.signals).filter((name) => !/^SIG(KILL|STOP)$/.test(name));
  const isGood =
    Array.isArray(signals) &&
    signals.length > 0 &&
    signals.every((one: unknown) => names.some((name) => name === one));
  if (isGood) return;
  const rule = 'must be names of signals that a process can hear, such as SIGTERM';
  throw new InvalidOptionError('signals', signals, rule);
}
