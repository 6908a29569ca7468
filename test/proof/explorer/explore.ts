// The explorer as the tests run it.
import { readFileSync } from 'node:fs';
import { rowsOf } from '../../../tools/docs/tables.js';
import { resultOf, results } from '../program.js';
import type { Explored } from './main.js';

const PROGRAM = 'explorer/main.ts';
/** Searches at a time: one for each core of a small machine. */
const AT_ONCE = 2;

const choice = (scope: string): string[] => ['--scope', scope];

/** One search after the other, in one process. */
export class Exploration {
  readonly #results: AsyncGenerator<Explored, void>;
  readonly #ended = new Map<string, Explored>();

  constructor(scopes: readonly string[]) {
    this.#results = results<Explored>(PROGRAM, scopes.flatMap(choice));
  }

  /** Rejects when the searches end before this one, as they do after the first violation. */
  async resultOf(scope: string): Promise<Explored> {
    for (;;) {
      const result = this.#ended.get(scope);
      if (result !== undefined) return result;
      const { value } = await this.#results.next();
      if (value === undefined) throw new Error(`the searches ended before ${scope}`);
      this.#ended.set(value.scope, value);
    }
  }

  get all(): readonly Explored[] {
    return [...this.#ended.values()];
  }

  /** Ends the process, if it still runs. */
  async end(): Promise<void> {
    await this.#results.return();
  }
}

/** Searches of several scopes, some at a time. The results are in the order of the scopes. */
export async function exploreEach(
  scopes: readonly string[],
  ...args: readonly string[]
): Promise<Explored[]> {
  const found: Explored[] = [];
  const waiting = [...scopes.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, scope] = next;
      found[at] = await resultOf<Explored>(PROGRAM, [...choice(scope), ...args]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
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
