/** What each verb does to the stored Leases. Synchronous from reading to writing: that is the compare-and-swap. */
import { randomInt, randomUUID } from 'node:crypto';
import { decodeLease, parseJsonObject } from './decode.js';
import type { DecodedLease } from './decode.js';
import { updateManagedFields, wholeSeconds } from './managed.js';
import { assemble, comparable, ownersAfter, withoutGated } from './object.js';
import type { Namespaces } from './namespaces.js';
import { isDryRun, parseDeleteOptions } from './options.js';
import { applyPatch } from './patch.js';
import * as status from './status.js';
import type { LeaseKey, Store } from './store.js';
import { API_VERSION, GROUP, isJsonObject } from './types.js';
import type { JsonObject, LeaseObject, Verb } from './types.js';
import { validateLease } from './validate.js';

/** Who asks, as far as the outcome depends on it. */
export interface Caller {
  readonly user: string;
  readonly manager: string;
  readonly now: Date;
  /** The second question a PUT raises: whether it may also create. */
  readonly may: (verb: Verb, key: LeaseKey) => boolean;
}

/** A write as it arrived. */
export interface Write {
  readonly body: string;
  readonly contentType: string;
  readonly query: URLSearchParams;
}

export interface Reply {
  readonly code: number;
  readonly body: unknown;
  readonly warnings?: readonly string[];
  readonly retryAfterSeconds?: number | undefined;
  /** @defaultValue JSON */
  readonly contentType?: string | undefined;
}

export class LeaseApi {
  readonly #store: Store;
  readonly #namespaces: Namespaces;
  readonly #extraSpecFields: ReadonlySet<string>;

  constructor(store: Store, namespaces: Namespaces, extraSpecFields: ReadonlySet<string>) {
    this.#store = store;
    this.#namespaces = namespaces;
    this.#extraSpecFields = extraSpecFields;
  }

  get(key: LeaseKey, query: URLSearchParams): Reply {
    this.#checkReadVersion(query, status.unexplained);
    return { code: 200, body: this.#existing(key) };
  }

  list(
    namespace: string | undefined,
    query: URLSearchParams,
    matches: (lease: LeaseObject) => boolean,
  ): Reply {
    this.#checkReadVersion(query, (why) => status.badRequest(`invalid resource version: ${why}`));
    const items = this.#store
      .list(namespace)
      .filter(matches)
      .map(({ metadata, spec }) => ({ metadata, spec }));
    const metadata = { resourceVersion: String(this.#store.version) };
    return { code: 200, body: { kind: 'LeaseList', apiVersion: API_VERSION, metadata, items } };
  }

  create(namespace: string, write: Write, caller: Caller): Reply {
    const decoded = this.#decode(parseJsonObject(write.body, 'Lease'), write);
    checkNamespace(decoded, namespace);
    const { name: given = '', generateName = '', resourceVersion } = decoded.metadata;
    const name = given === '' && generateName !== '' ? generateName + suffix() : given;
    const candidate = this.#create({ namespace, name }, decoded, caller);
    if (resourceVersion !== undefined && resourceVersion !== '') {
      throw status.unexplained('resourceVersion should not be set on objects to be created');
    }
    return this.#commit(candidate, write);
  }

  /** The order of the checks is the real server's: uid before everything, version before the rules. */
  replace(key: LeaseKey, write: Write, caller: Caller): Reply {
    const decoded = this.#decode(parseJsonObject(write.body, 'Lease'), write);
    checkNamespace(decoded, key.namespace);
    const name = decoded.metadata.name ?? '';
    if (name !== key.name) {
      throw nameMismatch(name, key);
    }
    const existing = this.#store.get(key);
    const { uid = '' } = decoded.metadata;
    if (uid !== '' && uid !== existing?.metadata.uid) {
      throw status.wrongUid(key, uid, existing?.metadata.uid ?? '');
    }
    if (existing === undefined) {
      return this.#commit(this.#create(key, decoded, caller), write);
    }
    checkVersion(decoded, existing);
    return this.#commit(this.#update(existing, decoded, caller), write);
  }

  patch(key: LeaseKey, write: Write, caller: Caller): Reply {
    const existing = this.#existing(key);
    const patched = applyPatch({ ...existing }, write.contentType, write.body);
    if (!isJsonObject(patched)) throw status.badRequest('the patch leaves no object');
    const decoded = this.#decode(patched, write);
    const { uid = existing.metadata.uid, name } = decoded.metadata;
    if (name !== key.name) throw nameMismatch(name ?? '', key);
    if (uid !== existing.metadata.uid) {
      const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
      const field = 'metadata.uid';
      throw status.invalid(key.name, [{ reason: 'FieldValueInvalid', message, field }]);
    }
    const { resourceVersion = '' } = decoded.metadata;
    if (resourceVersion !== '') checkVersion(decoded, existing);
    return this.#commit(this.#update(existing, decoded, caller), write);
  }

  delete(key: LeaseKey, write: Write): Reply {
    const { uid, resourceVersion, dryRun } = parseDeleteOptions(write.body, write.query);
    const { metadata } = this.#existing(key);
    if (uid !== null && uid !== metadata.uid) {
      throw status.preconditionFailed(key.name, 'UID', uid, metadata.uid);
    }
    if (resourceVersion !== null && resourceVersion !== metadata.resourceVersion) {
      const actual = metadata.resourceVersion;
      throw status.preconditionFailed(key.name, 'ResourceVersion', resourceVersion, actual);
    }
    if (!dryRun) this.#store.remove(key);
    const details = { name: key.name, group: GROUP, kind: 'leases', uid: metadata.uid };
    const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
    return { code: 200, body };
  }

  #existing(key: LeaseKey): LeaseObject {
    const existing = this.#store.get(key);
    if (existing === undefined) throw status.notFound(key.name);
    return existing;
  }

  #decode(body: JsonObject, write: Write): DecodedLease {
    const decoded = decodeLease(body, this.#extraSpecFields);
    const unknown = decoded.unknownFields.map((path) => `unknown field "${path}"`);
    if (write.query.get('fieldValidation') === 'Strict' && unknown.length > 0) {
      const why = `strict decoding error: ${unknown.join(', ')}`;
      throw status.badRequest(`Lease in version "v1" cannot be handled as a Lease: ${why}`);
    }
    return decoded;
  }

  #create(key: LeaseKey, decoded: DecodedLease, caller: Caller): Candidate {
    this.#namespaces.admitCreate(key);
    const spec = withoutGated(decoded.spec, {});
    const errors = validateLease({ ...decoded.metadata, ...key }, spec);
    if (errors.length > 0) throw status.invalid(key.name, errors);
    if (!caller.may('create', key)) {
      throw status.forbidden(caller.user, 'create', key.namespace, key.name);
    }
    if (this.#store.get(key) !== undefined) throw status.alreadyExists(key.name);
    const base = decoded.metadata.managedFields ?? [];
    const content = { metadata: decoded.metadata, spec };
    const lease = assemble(decoded, spec, {
      ...key,
      uid: randomUUID(),
      resourceVersion: '',
      creationTimestamp: wholeSeconds(caller.now),
      managedFields: updateManagedFields(base, undefined, content, caller.manager, caller.now),
    });
    return { code: 201, lease, unknownFields: decoded.unknownFields };
  }

  #update(existing: LeaseObject, decoded: DecodedLease, caller: Caller): Candidate {
    const spec = withoutGated(decoded.spec, existing.spec);
    const errors = validateLease({ ...decoded.metadata, name: existing.metadata.name }, spec);
    if (errors.length > 0) throw status.invalid(existing.metadata.name, errors);
    const lease = assemble(decoded, spec, {
      ...existing.metadata,
      managedFields: ownersAfter(existing, decoded, spec, caller.manager, caller.now),
    });
    return { code: 200, lease, previous: existing, unknownFields: decoded.unknownFields };
  }

  /** A write that would change no byte but times of ownership is not made: the version stays. */
  #commit(candidate: Candidate, write: Write): Reply {
    const { code, lease, previous, unknownFields } = candidate;
    const isQuiet = write.query.get('fieldValidation') === 'Ignore';
    const warnings = isQuiet ? [] : unknownFields.map((path) => `unknown field "${path}"`);
    if (previous !== undefined && comparable(previous) === comparable(lease)) {
      return { code, body: previous, warnings };
    }
    return {
      code,
      body: isDryRun(write.query.getAll('dryRun')) ? lease : this.#store.put(lease),
      warnings,
    };
  }

  #checkReadVersion(query: URLSearchParams, refuse: (why: string) => Error): void {
    const asked = query.get('resourceVersion') ?? '';
    if (asked === '') return;
    if (!/^\d+$/.test(asked)) {
      const parse = `strconv.ParseUint: parsing "${asked}": invalid syntax`;
      throw refuse(`resourceVersion: Invalid value: "${asked}": ${parse}`);
    }
    if (BigInt(asked) > this.#store.version) {
      throw status.tooLargeVersion(asked, String(this.#store.version));
    }
  }
}

/** A Lease that passed every check, not yet stored. */
interface Candidate {
  readonly code: number;
  readonly lease: LeaseObject;
  readonly previous?: LeaseObject;
  readonly unknownFields: readonly string[];
}

function checkNamespace({ metadata }: DecodedLease, namespace: string): void {
  if ((metadata.namespace ?? namespace) === namespace) return;
  throw status.badRequest(
    'the namespace of the provided object does not match the namespace sent on the request',
  );
}

function checkVersion({ metadata }: DecodedLease, existing: LeaseObject): void {
  const { resourceVersion = '' } = metadata;
  if (resourceVersion === existing.metadata.resourceVersion) return;
  const { name } = existing.metadata;
  if (resourceVersion === '' || resourceVersion === '0') {
    const message = 'Invalid value: 0: must be specified for an update';
    const error = { reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' };
    throw status.invalid(name, [error], 'leases');
  }
  if (!/^\d+$/.test(resourceVersion)) {
    throw status.unexplained(`strconv.ParseUint: parsing "${resourceVersion}": invalid syntax`);
  }
  throw status.staleVersion(name);
}

function nameMismatch(name: string, key: LeaseKey): Error {
  const undeterminable = `(${key.name} based on URL) was undeterminable: name must be provided`;
  const different = `(${name}) does not match the name on the URL (${key.name})`;
  return status.badRequest(`the name of the object ${name === '' ? undeterminable : different}`);
}

function suffix(): string {
  const letters = 'bcdfghjklmnpqrstvwxz2456789';
  return Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');
}
