import type { Mutant } from './mutant.js';
import { protocol } from './protocol.js';

/** All of them: names are unique. */
export const mutants: readonly Mutant[] = [...protocol];
