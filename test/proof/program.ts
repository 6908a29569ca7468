// A search of the proof in a process of its own: modules inside of Jest are not compiled for speed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const LOADER = fileURLToPath(new URL('../../tools/loader.js', import.meta.url));

/** What stands in the way of a search, which then says nothing of what it was to find. */
export class SearchFailedError extends Error {
  override readonly name = 'SearchFailedError';
}

/**
 * Runs a program below this folder and yields each line of JSON that it prints, as it comes. One process for many
 * results: the engine has compiled the code for speed after the first of them.
 *
 * @throws SearchFailedError when the program ends with another code than 0 (nothing found) or 1 (a violation)
 */
export async function* results<T>(
  program: string,
  args: readonly string[],
): AsyncGenerator<T, void> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ['--import', LOADER, file, '--json', ...args], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const complaints = text(child.stderr);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('{')) yield JSON.parse(line) as T;
    }
    const [code] = await closed;
    if (code !== 0 && code !== 1) {
      throw new SearchFailedError(
        `${program} ${args.join(' ')} ended with ${code ?? 'a signal'}\n${await complaints}`,
      );
    }
  } finally {
    child.kill();
  }
}

/** The only result of a program that has one. */
export async function resultOf<T>(program: string, args: readonly string[]): Promise<T> {
  const all: T[] = [];
  for await (const one of results<T>(program, args)) all.push(one);
  const [result] = all;
  if (result === undefined || all.length > 1) {
    throw new SearchFailedError(
      `${program} ${args.join(' ')} printed ${all.length} results, not one`,
    );
  }
  return result;
}
