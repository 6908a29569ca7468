import { uptime } from 'node:os';

/** One reading of all clocks, milliseconds. */
export interface Instant {
  /** Stands still while the machine is suspended. Candidates wait by it: never too short. */
  readonly monotonic: number;
  /** Counts suspension too. Holders end their belief by it: never too long. */
  readonly elapsed: number;
  /** Only ever written into records for others to read; may stand, step or lie. */
  readonly wall: number;
}

/** The only source of time and of timers. Timers never keep the process alive. */
export interface Clock {
  now(): Instant;
  /** The monotonic clock alone: reading all of them takes a system call, and requests are many. */
  monotonic(): number;
  /** Calls back once after `ms`, any length; returns the way to call it off. */
  after(ms: number, callback: () => void): () => void;
  /** Keeps the process alive until the returned function is called. */
  keepAlive(): () => void;
}

/** Longest delay `setTimeout` takes; beyond it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `os.uptime()` moves in steps of 10 ms and more; a fall behind by less than this is its grain. */
const UPTIME_GRAIN_MS = 100;

/**
 * `performance.now()` plus every jump that the up-time made beyond it: the larger advance of the two,
 * measured from any earlier reading (up to the grain of the up-time). A system whose up-time follows the
 * wall clock (macOS) can step back; the anchor then follows it down, so that a later suspension still counts.
 */
export function elapsedTime(monotonic: () => number, boot: () => number): () => number {
  let suspended = 0;
  let anchor = boot() - monotonic();
  return () => {
    const mono = monotonic();
    const ahead = boot() - mono;
    if (ahead > anchor) suspended += ahead - anchor;
    if (ahead > anchor || ahead < anchor - UPTIME_GRAIN_MS) anchor = ahead;
    return mono + suspended;
  };
}

const readElapsed = elapsedTime(
  () => performance.now(),
  () => uptime() * 1000,
);

export const systemClock: Clock = {
  now: () => ({ monotonic: performance.now(), elapsed: readElapsed(), wall: Date.now() }),
  monotonic: () => performance.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const part = Math.min(Math.max(left, 0), MAX_TIMER_MS);
      timer = setTimeout(() => (left > part ? arm(left - part) : callback()), part);
      timer.unref();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
  keepAlive() {
    const anchor = setInterval(() => undefined, MAX_TIMER_MS);
    return () => clearInterval(anchor);
  },
};
