import { uptime } from 'node:os';
import { elapsedTime } from './elapsed-time.js';
import type { ElapsedTime } from './elapsed-time.js';

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
  /** At most this much of a suspension is missing from `elapsed`, milliseconds; nothing unless it is said. */
  readonly unseenMs?: number;
  /** The monotonic clock alone: reading all of them takes a system call, and requests are many. */
  monotonic(): number;
  /** Calls back once after `ms`, any length; returns the way to call it off. */
  after(ms: number, callback: () => void): () => void;
  /** Keeps the process alive until the returned function is called. */
  keepAlive(): () => void;
}

/** Longest delay `setTimeout` takes; beyond it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const monotonic = (): number => performance.now();

/** On macOS the monotonic clock itself counts suspensions, and the up-time follows the wall clock. */
const elapsed: ElapsedTime =
  process.platform === 'darwin'
    ? { now: monotonic, unseenMs: 0 }
    : elapsedTime(monotonic, () => uptime() * 1_000);

export const systemClock: Clock = {
  now: () => ({ monotonic: monotonic(), elapsed: elapsed.now(), wall: Date.now() }),
  monotonic,
  get unseenMs() {
    return elapsed.unseenMs;
  },
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
