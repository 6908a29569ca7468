import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `1500ms`, `30s`, `1.5m`, `2h` in milliseconds. The unit is a must: others count in other ones. */
export function parseDuration(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const scale = UNITS[unit];
  if (scale === undefined) {
    throw new InvalidArgumentError('A duration has a unit: 1500ms, 30s, 5m or 2h.');
  }
  return Number(number) * scale;
}

/** A duration to wait for at the most. */
export function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms > 0) return ms;
  throw new InvalidArgumentError('To try without waiting there is --no-wait.');
}

/** What a process can end with. */
export function parseExitCode(text: string): number {
  const code = Number(text);
  if (/^\d+$/.test(text) && code <= 255) return code;
  throw new InvalidArgumentError('An exit code is a whole number from 0 to 255.');
}

/** A fencing token, as `status` shows it. */
export function parseToken(text: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('A fencing token is a whole number.');
}
