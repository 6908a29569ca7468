import { createHash } from 'node:crypto';
import { InvalidOptionError } from './errors.js';
import { isLeaseName } from './options.js';

/** 128 bits in the alphabet of names: of a million keys, two meet once in 10²⁶ tries. */
const HASH_BYTES = 16;
const ALPHABET = '0123456789abcdefghijklmnopqrstuv';
const MADE = /(^|-)x[0-9a-v]{26}$/;
const READABLE_LENGTH = 100;

/**
 * A name for the Lease of any key: an order number, a path, a tenant in any script.
 *
 * A key that can be a name is its own name. Any other becomes what is readable of it, `-x` and a hash of the
 * whole: `Order #42` → `order-42-x…`. Two keys never share a name but by a collision of 128 bits of SHA-256, since a key
 * that looks like a made name is hashed as well. The same key has the same name in every release and on every
 * machine. Keys are compared as they are: other case or Unicode form is another key.
 *
 * @throws InvalidOptionError when the key is no string
 */
export function leaseName(key: string): string {
  if (typeof (key as unknown) !== 'string') {
    throw new InvalidOptionError('key', key, 'must be a string');
  }
  if (isLeaseName(key) && !MADE.test(key)) return key;
  const readable = key
    .slice(0, 4 * READABLE_LENGTH)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE_LENGTH)
    .replace(/^-|-$/g, '');
  return `${readable}${readable === '' ? '' : '-'}x${hashOf(key)}`;
}

/** Of the string's own units: in UTF-8 all halves of surrogate pairs would be one character. */
function hashOf(key: string): string {
  const digest = createHash('sha256').update(Buffer.from(key, 'utf16le')).digest();
  let bits = BigInt(`0x${digest.subarray(0, HASH_BYTES).toString('hex')}`);
  let text = '';
  for (let n = 0; n < 26; n++) {
    text = ALPHABET.charAt(Number(bits & 31n)) + text;
    bits >>= 5n;
  }
  return text;
}
