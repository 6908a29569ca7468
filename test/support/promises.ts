// What tests ask of promises and errors.
import { expect } from '@jest/globals';
import type { SyncError, SyncErrorCode } from '@metaparticle/sync';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

export { sleep };
export { until } from './until.js';

/** The reason of a rejection; a promise that is fulfilled instead fails the test. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (reason: unknown) => ({ reason }),
  );
  if ('reason' in outcome) return outcome.reason;
  throw new Error(`fulfilled with ${String(outcome.value)} where a rejection was due`);
}

/** What a function throws; one that returns fails the test. */
export function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('returned where it should have thrown');
}

type ErrorClass<E extends SyncError> = abstract new (...args: never[]) => E;

/** Asserts class, code and parts of the message, and hands the error on for its own fields. */
export function expectError<E extends SyncError>(
  error: unknown,
  kind: ErrorClass<E>,
  code: SyncErrorCode,
  ...parts: readonly (string | RegExp)[]
): E {
  expect(error).toBeInstanceOf(kind);
  const { message, name, code: actual } = error as E;
  expect(actual).toBe(code);
  expect(name).toBe(kind.name);
  for (const part of parts) expect(message).toEqual(containing(part));
  return error as E;
}

function containing(part: string | RegExp): unknown {
  return typeof part === 'string' ? expect.stringContaining(part) : expect.stringMatching(part);
}

/** How long a promise took to settle, either way. */
export async function elapsed(promise: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await promise.catch(() => undefined);
  return performance.now() - start;
}

/** Whether a promise has settled by now, with all that follows from what has happened so far. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const marker = Symbol('pending');
  const first = await Promise.race([promise.catch(() => undefined), turn(marker)]);
  return first === marker;
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
