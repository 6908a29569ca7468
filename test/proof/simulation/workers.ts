import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Figures } from './tally.js';

/** A broken promise, and how it came to that. */
export interface Report {
  readonly promise: string;
  readonly seed: number;
  readonly steps: number;
  readonly trace: readonly string[];
}

/** What the command prints as its last line when it is asked for JSON. */
export interface Result extends Figures {
  readonly violation: Report | null;
}

/**
 * Shares seeds out to processes of this same service: a run takes the globals of the process that it is in.
 * The first violation ends them all.
 */
export async function inWorkers(
  script: string,
  parts: readonly (readonly string[])[],
): Promise<Result[]> {
  const stop = new AbortController();
  const results = await Promise.all(parts.map((part) => worker(script, part, stop)));
  return results.filter((one) => one !== null);
}

async function worker(
  script: string,
  args: readonly string[],
  stop: AbortController,
): Promise<Result | null> {
  const child = spawn(process.execPath, [...process.execArgv, script, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = (): void => void child.kill();
  stop.signal.addEventListener('abort', end);
  const [output, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  stop.signal.removeEventListener('abort', end);
  if (code === 0 || code === 1) {
    if (code === 1) stop.abort();
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Result;
  }
  if (stop.signal.aborted) return null;
  stop.abort();
  throw new Error(`a worker ended with ${code ?? 'a signal'}`);
}
