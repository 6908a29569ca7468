/** MicroTime, as `spec` has it: RFC 3339 with exactly six decimals. */

const microTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{6})(Z|[+-]\d\d:\d\d)$/;

/** The same instant in UTC; throws a RangeError, in Go's words, on anything but six decimals. */
export function canonicalMicroTime(text: string): string {
  const parts = microTime.exec(text);
  const [, seconds = '', fraction = '', zone = ''] = parts ?? [];
  const at = Date.parse(`${seconds}${zone}`);
  if (parts === null || Number.isNaN(at) || !isRealDate(seconds))
    throw new RangeError(timeError(text));
  return `${new Date(at).toISOString().slice(0, 19)}${fraction}Z`;
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isRealDate(seconds: string): boolean {
  return new Date(`${seconds}Z`).toISOString().startsWith(seconds);
}

function timeError(text: string): string {
  const layout = '2006-01-02T15:04:05.000000Z07:00';
  const rest = text.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, '');
  const afterFraction = rest.replace(/^\.\d{6}/, '');
  const [left, wanted] =
    rest === text
      ? [text, '2006']
      : afterFraction === rest
        ? [rest, '.000000']
        : [afterFraction, 'Z07:00'];
  return `parsing time "${text}" as "${layout}": cannot parse "${left}" as "${wanted}"`;
}
