/** What the caller's own functions return and throw, where nobody waits for it. */

/** A callback may be an async function although nobody waits for it: its rejection must not end the process. */
export function report(result: unknown): void {
  Promise.resolve(result).catch(warn);
}

/** What a callback threw, where nobody else can be told. Never throws, whatever it is. */
export function warn(error: unknown): void {
  try {
    // An error as it is: its stack leads to the fault.
    process.emitWarning(error instanceof Error ? error : String(error), 'SyncWarning');
  } catch {
    process.emitWarning('a callback failed with what cannot be put into words', 'SyncWarning');
  }
}
