import type { Machine } from './machine.js';

interface Borrowed {
  readonly random: () => number;
  /** Whose code runs now. */
  readonly current: () => Machine | null;
}

type Cancel = () => void;

/**
 * What a run takes from the process it runs in: chance, and the timers of installed packages (those of the
 * library go through its own clock). Whatever fires belongs to the simulated process that asked for it.
 * @returns the way to give it back
 */
export function borrowGlobals({ random, current }: Borrowed): () => void {
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis;
  const realRandom = Math.random;
  Math.random = random;
  globalThis.setTimeout = ((callback: () => void, ms = 0) => {
    const machine = current();
    if (machine === null) throw new Error('a timer was set outside of every simulated process');
    const cancel = machine.after(ms, callback);
    return Object.assign(cancel, { unref: () => cancel });
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (timer) => (timer as unknown as Cancel | undefined)?.();
  return () => {
    Math.random = realRandom;
    globalThis.setTimeout = realSet;
    globalThis.clearTimeout = realClear;
  };
}

/**
 * Resolves once all promise reactions have run: those go before what `nextTick` has in line. Thorough, it
 * lets Node.js also look for rejections that nobody handles, as it does between any two events.
 */
export function settled(isThorough: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isThorough) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}
