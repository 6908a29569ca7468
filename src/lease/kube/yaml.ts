import { asString, isObject, parseJson } from './json.js';

/** A text that is not YAML. Says where, and never what is there: a kubeconfig is full of credentials. */
export class UnreadableYamlError extends Error {
  override readonly name = 'UnreadableYamlError';
}

/**
 * Reads YAML (or JSON) made of mappings, sequences, strings, booleans and nulls. A number stays the text it is written
 * as, since `token: 0123` means four characters. The reader of YAML is loaded only for text that is not JSON.
 * @throws UnreadableYamlError
 */
export async function readYaml(text: string): Promise<unknown> {
  const json = parseJson(text);
  if (isObject(json)) return json;
  const { load, FAILSAFE_SCHEMA, Type } = await import('js-yaml');
  const schema = FAILSAFE_SCHEMA.extend({
    implicit: [
      new Type(`${TAG}null`, { kind: 'scalar', resolve: isNull, construct: () => null }),
      new Type(`${TAG}bool`, { kind: 'scalar', resolve: isBoolean, construct: isTrue }),
      new Type(`${TAG}merge`, { kind: 'scalar', resolve: (value) => value === '<<' }),
    ],
  });
  try {
    return load(text, { schema });
  } catch (error) {
    // Its message quotes the lines around the place, and its mark holds the whole text: neither is passed on.
    throw new UnreadableYamlError(placeOf(error));
  }
}

const TAG = 'tag:yaml.org,2002:';

function isNull(value: unknown): boolean {
  return value === null || ['', '~', 'null', 'Null', 'NULL'].includes(asString(value));
}

function isBoolean(value: unknown): boolean {
  return /^(true|True|TRUE|false|False|FALSE)$/.test(asString(value));
}

function isTrue(value: unknown): boolean {
  return asString(value).toLowerCase() === 'true';
}

function placeOf(error: unknown): string {
  const { mark } = (error ?? {}) as { mark?: { line?: unknown; column?: unknown } };
  const { line, column } = mark ?? {};
  if (typeof line !== 'number' || typeof column !== 'number') return 'not YAML';
  return `not YAML at line ${line + 1}, column ${column + 1}`;
}
