/**
 * Kubernetes times as milliseconds since the epoch. Microseconds survive as a fraction, exactly until 2109;
 * later a double may be one off. Our own times have none.
 */

const rfc3339 = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** `null` for everything that is no RFC 3339 time. */
export function parseTime(value: unknown): number | null {
  const parts = typeof value === 'string' ? rfc3339.exec(value) : null;
  if (parts === null) return null;
  const [, seconds = '', fraction = '', zone = ''] = parts;
  const whole = Date.parse(`${seconds}${zone}`.toUpperCase());
  if (Number.isNaN(whole)) return null;
  return (whole * 1000 + Math.floor(Number(fraction.padEnd(6, '0').slice(0, 6)))) / 1000;
}

/** MicroTime: exactly six decimals, or the API server answers 400. */
export function formatMicroTime(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  const rest = String(micros - whole * 1000).padStart(3, '0');
  return `${new Date(whole).toISOString().slice(0, -1)}${rest}Z`;
}

/** Equal to the microsecond, which is all that the wire can say. */
export function sameTime(a: number | null, b: number | null): boolean {
  if (a === null || b === null) return a === b;
  return Math.round(a * 1000) === Math.round(b * 1000);
}
