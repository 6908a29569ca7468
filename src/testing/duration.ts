/** Go durations, as `?timeout=` has them. */
import { badRequest } from './status.js';

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds, or null when the request sets no limit; throws the 400 for what Go cannot parse. */
export function parseTimeout(text: string | null): number | null {
  if (text === null || text === '') return null;
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return null;
  const parts = [...unsigned.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/gy)];
  const length = parts.reduce((sum, [whole]) => sum + whole.length, 0);
  if (unsigned === '' || length !== unsigned.length) throw badRequest(refusal(text));
  const ms = parts.reduce(
    (sum, [, n = '0', unit = 's']) => sum + Number(n) * (unitMs[unit] ?? 0),
    0,
  );
  return text.startsWith('-') || ms === 0 ? null : ms;
}

function refusal(text: string): string {
  const why = /\d$/.test(text) ? 'missing unit in duration' : 'invalid duration';
  return `invalid timeout specified in the request URL - time: ${why} "${text}"`;
}
