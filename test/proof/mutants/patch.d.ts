import type { Mutant } from './mutant.js';

/** `text` with the fault in it; throws unless what it replaces is there exactly once. */
export function planted(text: string, mutant: Mutant): string;
