/**
 * A planted fault: one decision of the sources turned into another that a programmer might have made, by one
 * text in one file. A proof that does not notice it proves nothing about that decision.
 */
export interface Mutant {
  /** Name of the decision, as `SYNC_MUTANT` takes it. */
  readonly name: string;
  /** One sentence: what the sources do wrong with it. */
  readonly what: string;
  /** Below `src/`. */
  readonly file: string;
  /** Occurs exactly once in that file. */
  readonly find: string;
  readonly replace: string;
  readonly killer: Killer;
}

/** What must notice: the explorer in this scope, or the simulation of the whole library, by seeds or in a mix of loopers. */
export type Killer =
  | { readonly scope: string }
  | { readonly seeds: number; readonly from: number }
  | { readonly mix: string };
