/**
 * Request bodies into Leases, with the strictness of the real decoder: a wrong JSON type or a MicroTime without
 * exactly six decimals is a 400, null and absent are the same, unknown fields are dropped and reported.
 */
import { canonicalMicroTime } from './microtime.js';
import { badRequest } from './status.js';
import { API_VERSION, isJsonObject } from './types.js';
import type { JsonObject, LeaseMetadata, LeaseSpec, ManagedFieldsEntry } from './types.js';

/** A body that was understood; `metadata` holds only what was given. */
export interface DecodedLease {
  readonly metadata: Partial<LeaseMetadata> & { generateName?: string };
  /** `managedFields` as `[]` or `[{}]`: the writer wants the record of owners gone. */
  readonly resetsManagedFields: boolean;
  readonly spec: LeaseSpec;
  /** Paths of fields that were dropped. */
  readonly unknownFields: readonly string[];
}

type FieldType = 'string' | 'int32' | 'bool' | 'microTime' | 'strings' | 'stringMap' | 'any';

const metadataFields: Readonly<Record<string, FieldType>> = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  uid: 'string',
  resourceVersion: 'string',
  creationTimestamp: 'any',
  labels: 'stringMap',
  annotations: 'stringMap',
  ownerReferences: 'any',
  finalizers: 'strings',
  managedFields: 'any',
};
/** Known to the real server, never stored by this one. */
const ignoredMetadata = new Set([
  'selfLink',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]);
const specFields: Readonly<Record<string, FieldType>> = {
  holderIdentity: 'string',
  leaseDurationSeconds: 'int32',
  acquireTime: 'microTime',
  renewTime: 'microTime',
  leaseTransitions: 'int32',
  strategy: 'string',
  preferredHolder: 'string',
};
const ownerFields: Readonly<Record<string, FieldType>> = {
  apiVersion: 'string',
  kind: 'string',
  name: 'string',
  uid: 'string',
  controller: 'bool',
  blockOwnerDeletion: 'bool',
};

/**
 * Strings as the real decoder has them: a half of a character (a lone surrogate) becomes U+FFFD, since text is UTF-8
 * there.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return /\\u[dD][89a-fA-F]/.test(text) ? wellFormed(value) : value;
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\ufffd');
  if (Array.isArray(value)) return value.map(wellFormed);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map((entry) => entry.map(wellFormed));
  return Object.fromEntries(entries as [string, unknown][]);
}

/** Parses a body that must be a JSON object. */
export function parseJsonObject(text: string, kind: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    const why = `couldn't get version/kind; json parse error: ${String(error)}`;
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why}`);
  }
  if (!isJsonObject(value)) {
    const why = `couldn't get version/kind; json parse error: json: cannot unmarshal ${typeName(value)} into Go value of type struct`;
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why}`);
  }
  return value;
}

/** @param extraSpecFields fields of `spec` to keep although this version of the API does not know them */
export function decodeLease(body: JsonObject, extraSpecFields: ReadonlySet<string>): DecodedLease {
  checkKind(body);
  const unknownFields = Object.keys(body).filter(
    (key) => !['kind', 'apiVersion', 'metadata', 'spec'].includes(key),
  );
  const metadata = section(
    body.metadata,
    'metadata',
    metadataFields,
    unknownFields,
    ignoredMetadata,
  );
  const spec = section(body.spec, 'spec', specFields, unknownFields);
  const given = isJsonObject(body.spec) ? body.spec : {};
  for (const field of extraSpecFields) {
    if (given[field] !== undefined && given[field] !== null) spec[field] = given[field];
  }
  if (metadata.ownerReferences !== undefined) {
    metadata.ownerReferences = decodeOwners(metadata.ownerReferences, unknownFields);
  }
  const resetsManagedFields = isReset(metadata.managedFields);
  metadata.managedFields = decodeManagedFields(metadata.managedFields);
  const isExtra = (path: string): boolean => extraSpecFields.has(path.replace(/^spec\./, ''));
  const reported = unknownFields.filter((path) => !isExtra(path));
  return { metadata, spec, resetsManagedFields, unknownFields: reported };
}

function checkKind(body: JsonObject): void {
  const kind = textOf(body.kind) || 'Lease';
  const apiVersion = textOf(body.apiVersion) || API_VERSION;
  if (kind === 'Lease' && apiVersion === API_VERSION) return;
  const version = apiVersion.split('/').at(-1) ?? '';
  const why = `no kind "${kind}" is registered for version "${apiVersion}"`;
  throw badRequest(`${kind} in version "${version}" cannot be handled as a Lease: ${why}`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function section(
  given: unknown,
  path: string,
  fields: Readonly<Record<string, FieldType>>,
  unknownFields: string[],
  ignored: ReadonlySet<string> = new Set(),
): JsonObject {
  if (given === undefined || given === null) return {};
  if (!isJsonObject(given)) {
    throw undecodable(
      `json: cannot unmarshal ${typeName(given)} into Go struct field Lease.${path}`,
    );
  }
  const decoded: JsonObject = {};
  for (const [field, type] of Object.entries(fields)) {
    const value = decodeValue(given[field], type, `${path}.${field}`);
    if (value !== undefined) decoded[field] = value;
  }
  for (const field of Object.keys(given)) {
    if (!Object.hasOwn(fields, field) && !ignored.has(field))
      unknownFields.push(`${path}.${field}`);
  }
  return decoded;
}

function decodeValue(value: unknown, type: FieldType, path: string): unknown {
  if (value === undefined || value === null) return undefined;
  switch (type) {
    case 'any':
      return value;
    case 'microTime':
      return decodeMicroTime(expectType(value, 'string', path));
    case 'int32':
      return expectInt32(value, path);
    case 'bool':
      return expectType(value, 'boolean', path);
    case 'string':
      return expectType(value, 'string', path);
    case 'strings':
      return decodeStrings(value, path);
    case 'stringMap':
      return decodeStringMap(value, path);
  }
}

function expectType(value: unknown, type: 'string' | 'boolean', path: string): string {
  if (typeof value === type) return value as string;
  throw wrongType(value, path, type === 'string' ? 'string' : 'bool');
}

function expectInt32(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2_147_483_647) {
    return value;
  }
  throw wrongType(value, path, 'int32');
}

function decodeStrings(value: unknown, path: string): string[] | undefined {
  if (!Array.isArray(value)) throw wrongType(value, path, '[]string');
  const strings = value.map((item: unknown) => expectType(item ?? '', 'string', path));
  return strings.length === 0 ? undefined : strings;
}

/** Keys come out sorted, as the real encoder writes maps: equal objects are then equal bytes. */
function decodeStringMap(value: unknown, path: string): Record<string, string> | undefined {
  if (!isJsonObject(value)) throw wrongType(value, path, 'map[string]string');
  const entries = Object.entries(value).map(
    ([key, item]) => [key, expectType(item ?? '', 'string', path)] as const,
  );
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function decodeOwners(value: unknown, unknownFields: string[]): JsonObject[] | undefined {
  if (!Array.isArray(value)) throw wrongType(value, 'metadata.ownerReferences', '[]OwnerReference');
  const owners = value.map((item: unknown, index) =>
    section(item, `metadata.ownerReferences[${index}]`, ownerFields, unknownFields),
  );
  return owners.length === 0 ? undefined : owners;
}

function isReset(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [first, second] = value as unknown[];
  return second === undefined && Object.keys(first ?? {}).length === 0;
}

/** Entries that make no sense are as good as none: the server then keeps its own record. */
function decodeManagedFields(value: unknown): ManagedFieldsEntry[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const valid = value.every(
    (entry: unknown) =>
      isJsonObject(entry) &&
      (entry.operation === 'Update' || entry.operation === 'Apply') &&
      entry.fieldsType === 'FieldsV1' &&
      isJsonObject(entry.fieldsV1),
  );
  return valid ? (value as ManagedFieldsEntry[]) : undefined;
}

function decodeMicroTime(text: string): string {
  try {
    return canonicalMicroTime(text);
  } catch (error) {
    throw undecodable(error instanceof Error ? error.message : String(error));
  }
}

function wrongType(value: unknown, path: string, type: string): Error {
  const struct = path.startsWith('spec') ? 'LeaseSpec' : 'ObjectMeta';
  const field = `Go struct field ${struct}.${path} of type ${type}`;
  return undecodable(`json: cannot unmarshal ${typeName(value)} into ${field}`);
}

function undecodable(why: string): Error {
  return badRequest(`Lease in version "v1" cannot be handled as a Lease: ${why}`);
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' && !Number.isInteger(value)) return `number ${value}`;
  return typeof value;
}
