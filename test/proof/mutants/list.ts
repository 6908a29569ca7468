import type { Mutant } from './mutant.js';
import { protocol } from './protocol.js';
import { whole } from './whole.js';

/** All of them: names are unique. */
export const mutants: readonly Mutant[] = [...protocol, ...whole];
