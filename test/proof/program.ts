// A search of the proof in a process of its own: modules inside of Jest are not compiled for speed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const LOADER = fileOf('../../tools/loader.js');

/** What stands in the way of a search, which then says nothing of what it was to find. */
export class SearchFailedError extends Error {
  override readonly name = 'SearchFailedError';
}

/** How a search differs from one of the sources as they are. */
export interface SearchOptions {
  /** Modules that are loaded before the program. */
  readonly imports?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The search is ended after this time, and has failed. */
  readonly limitMs?: number;
}

/**
 * Runs a program below this folder and yields each line of JSON that it prints, as it comes. One process for many
 * results: the engine has compiled the code for speed after the first of them.
 *
 * @throws SearchFailedError when the program prints no result, or ends with another code than 0 (nothing found) or 1
 *   (a violation)
 */
export async function* results<T>(
  program: string,
  args: readonly string[],
  { imports = [], env = {}, limitMs }: SearchOptions = {},
): AsyncGenerator<T, void> {
  const loaded = [LOADER, ...imports.map(fileOf)].flatMap((file) => ['--import', file]);
  const child = spawn(process.execPath, [...loaded, fileOf(program), '--json', ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const complaints = text(child.stderr);
  let count = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('{')) continue;
      count += 1;
      yield JSON.parse(line) as T;
    }
    const [code] = await closed;
    // A process that could not even load its sources ends with 1 as well.
    if (count === 0 || (code !== 0 && code !== 1)) {
      throw new SearchFailedError(
        `${program} ${args.join(' ')} ended with ${code ?? 'a signal'}\n${await complaints}`,
      );
    }
  } finally {
    child.kill();
  }
}

/** The only result of a program that has one. */
export async function resultOf<T>(
  program: string,
  args: readonly string[],
  options: SearchOptions = {},
): Promise<T> {
  const all: T[] = [];
  for await (const one of results<T>(program, args, options)) all.push(one);
  const [result] = all;
  if (result === undefined || all.length > 1) {
    throw new SearchFailedError(
      `${program} ${args.join(' ')} printed ${all.length} results, not one`,
    );
  }
  return result;
}
