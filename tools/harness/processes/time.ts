/** Milliseconds on the clock that all processes of a machine share: CLOCK_MONOTONIC. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What to take off the wall clock's milliseconds to have those of `now()`. Takes some milliseconds. */
export function wallOffset(): number {
  // A process that is interrupted between the two looks finds too little.
  return Math.max(...Array.from({ length: 3 }, lookAtBoth));
}

function lookAtBoth(): number {
  const before = Date.now();
  let wall = before;
  // The moment in which it changes is known more exactly than what it says.
  while (wall === before) wall = Date.now();
  return wall - now();
}
