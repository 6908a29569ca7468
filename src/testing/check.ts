/** A knob that is misspelt would make a test pass without its fault: what is not known is refused. */

/** @throws TypeError naming what is not known, and what is */
export function checkKeys(where: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    throw new TypeError(`${where}: ${key} is not an option; there are: ${known.join(', ')}`);
  }
}

/** @throws TypeError unless it is left out or the number of a port: of anything else Node.js makes a local socket */
export function checkPort(port: unknown): void {
  if (
    port === undefined ||
    (Number.isInteger(port) && Number(port) >= 0 && Number(port) < 65_536)
  ) {
    return;
  }
  throw new TypeError(`port must be a whole number from 0 to 65535; got ${shown(port)}`);
}

/** @throws TypeError unless it is a whole number: of anything else every seed would make the same series */
export function checkSeed(seed: unknown): void {
  if (Number.isSafeInteger(seed)) return;
  throw new TypeError(`seed must be a whole number; got ${shown(seed)}`);
}

/** @throws TypeError unless it is a finite number of milliseconds that is not below `min` */
export function checkMs(what: string, value: unknown, min = 0): void {
  if (Number.isFinite(value) && Number(value) >= min) return;
  const range = min === 0 ? 'not negative' : `${min} or more`;
  throw new TypeError(
    `${what} must be a finite number of milliseconds, ${range}; got ${shown(value)}`,
  );
}

/** @throws TypeError unless it is left out or one of these */
export function checkOneOf(option: string, value: unknown, known: readonly string[]): void {
  if (value === undefined || known.includes(value as string)) return;
  throw new TypeError(`${option} must be one of ${known.join(', ')}; got ${shown(value)}`);
}

/** Numbers as they are: JSON makes null of NaN and Infinity. */
function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
