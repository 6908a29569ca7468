import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';

/** The monotonic clock alone: a reading of all clocks costs a system call, and requests are many. */
export function monotonicOf(clock: Clock): () => number {
  return clock === systemClock ? () => performance.now() : () => clock.now().monotonic;
}
