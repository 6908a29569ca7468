// The explorer as the tests run it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rowsOf } from '../../../tools/docs/tables.js';

export interface Explored {
  readonly violation: { readonly promise: string; readonly trace: readonly string[] } | null;
  readonly states: number;
  readonly scopes: readonly {
    readonly scope: string;
    readonly states: number;
    readonly exhausted: boolean;
    readonly progress: { readonly tried: number };
  }[];
}

const loader = fileURLToPath(new URL('../../../tools/loader.js', import.meta.url));
const main = fileURLToPath(new URL('main.ts', import.meta.url));
/** Searches at a time: one for each core of a small machine. */
const AT_ONCE = 2;

/** Searches in a process of its own: modules inside of Jest are not compiled for speed. */
export function explore(scopes: readonly string[], ...args: readonly string[]): Promise<Explored> {
  const chosen = scopes.flatMap((name) => ['--scope', name]);
  const options = { env: { ...process.env, NODE_OPTIONS: '' }, maxBuffer: 2 ** 26 };
  return new Promise((resolve, reject) => {
    const command = ['--import', loader, main, '--json', ...chosen, ...args];
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) resolve(JSON.parse(last) as Explored);
      else reject(new Error(stderr, { cause: error }));
    });
  });
}

/** Searches of several scopes, some at a time. The results are in the order of the scopes. */
export async function exploreEach(
  scopes: readonly string[],
  ...args: readonly string[]
): Promise<Explored[]> {
  const results: Explored[] = [];
  const waiting = [...scopes.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, scope] = next;
      results[at] = await explore([scope], ...args);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** The rows of a table of docs/proof.md. */
export function listed(heading: string) {
  const page = 'docs/proof.md';
  return rowsOf(page, readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8'), heading);
}

/** As the page writes numbers. */
export function inGroups(count: number): string {
  return count.toLocaleString('en').replaceAll(',', ' ');
}
