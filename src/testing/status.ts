/**
 * The `Status` objects a kube-apiserver answers refusals with. Clients tell causes apart by `reason` and
 * `details`, people by `message`; so all three follow the real server's wording.
 */
import { GROUP } from './types.js';
import type { Verb } from './types.js';

export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A `v1` Status as it goes over the wire. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Failure' | 'Success';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
}

/** Thrown by handlers: the request ends with this Status. */
export class StatusError extends Error {
  readonly status: Status;
  readonly code: number;

  constructor(code: number, reason: string | undefined, message: string, details?: StatusDetails) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.status = failure(code, reason, message, details);
  }
}

export function failure(
  code: number,
  reason: string | undefined,
  message: string,
  details?: StatusDetails,
): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  };
}

const leases = { group: GROUP, kind: 'leases' } as const;
const resource = `leases.${GROUP}`;

export function notFound(name: string): StatusError {
  return new StatusError(404, 'NotFound', `${resource} "${name}" not found`, { name, ...leases });
}

export function namespaceNotFound(namespace: string): StatusError {
  const details = { name: namespace, kind: 'namespaces' };
  return new StatusError(404, 'NotFound', `namespaces "${namespace}" not found`, details);
}

export function namespaceTerminating(namespace: string, name: string): StatusError {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  const details = { name, ...leases, causes: [cause] };
  return new StatusError(403, 'Forbidden', `${resource} "${name}" is forbidden: ${why}`, details);
}

export function alreadyExists(name: string): StatusError {
  const message = `${resource} "${name}" already exists`;
  return new StatusError(409, 'AlreadyExists', message, { name, ...leases });
}

export function conflict(name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${resource} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, { name, ...leases });
}

/** The refusal of a write whose resourceVersion is not the current one. */
export function staleVersion(name: string): StatusError {
  const why =
    'the object has been modified; please apply your changes to the latest version and try again';
  return conflict(name, why);
}

/** The refusal of a PUT whose uid is not the stored one; `actual` is empty for an absent object. */
export function wrongUid(
  key: { readonly namespace: string; readonly name: string },
  wanted: string,
  actual: string,
): StatusError {
  const what = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${actual}`;
  const path = `/registry/leases/${key.namespace}/${key.name}`;
  const why = `StorageError: invalid object, Code: 4, Key: ${path}, ResourceVersion: 0, AdditionalErrorMsg: ${what}`;
  return conflict(key.name, why);
}

/** The refusal of a DELETE; its Status names the kind where the others name the resource. */
export function preconditionFailed(
  name: string,
  field: 'UID' | 'ResourceVersion',
  wanted: string,
  actual: string,
): StatusError {
  const hint =
    field === 'UID' ? 'might have been deleted and then recreated' : 'might have been modified';
  const why = `the ${field} in the precondition (${wanted}) does not match the ${field} in record (${actual}). The object ${hint}`;
  const message = `Operation cannot be fulfilled on Lease.${GROUP} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, { name, group: GROUP, kind: 'Lease' });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** One rule broken by a body: `reason` is the field error type (FieldValueInvalid and so on). */
export type FieldError = Required<StatusCause>;

export function invalid(
  name: string,
  errors: readonly FieldError[],
  kind: 'Lease' | 'leases' | 'ListOptions' | 'Options' = 'Lease',
): StatusError {
  const group = kind.endsWith('Options') ? 'meta.k8s.io' : GROUP;
  const all = errors.map((error) => `${error.field}: ${error.message}`);
  const told = all.length === 1 ? (all[0] ?? '') : `[${all.join(', ')}]`;
  const message = `${kind}.${group} "${name}" is invalid: ${told}`;
  const details = { ...(name === '' ? {} : { name }), group, kind, causes: errors };
  return new StatusError(422, 'Invalid', message, details);
}

/** The refusal of RBAC; `namespace` empty means cluster scope. */
export function forbidden(
  user: string,
  verb: Verb,
  namespace: string,
  name: string | undefined,
): StatusError {
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const subject = name === undefined ? resource : `${resource} "${name}"`;
  const why = `User "${user}" cannot ${verb} resource "leases" in API group "${GROUP}" ${where}`;
  const details = { ...(name === undefined ? {} : { name }), ...leases };
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, details);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

/** What the real server lets through from below without a reason. */
export function unexplained(message: string): StatusError {
  return new StatusError(500, undefined, message);
}

export function timedOut(): StatusError {
  const message = 'Timeout: request did not complete within the allotted timeout';
  return new StatusError(504, 'Timeout', message);
}

export function pathNotFound(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function methodNotAllowed(): StatusError {
  const message = 'the server does not allow this method on the requested resource';
  return new StatusError(405, 'MethodNotAllowed', message, {});
}

export function unsupportedMediaType(accepted: string): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export function tooLargeVersion(asked: string, current: string): StatusError {
  const text = 'Too large resource version';
  return new StatusError(504, 'Timeout', `Timeout: ${text}: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: text }],
    retryAfterSeconds: 1,
  });
}

/** What a list or watch from a forgotten version gets; in a watch it may also come as an ERROR event. */
export function expired(asked: string, oldest: string): StatusError {
  return new StatusError(410, 'Expired', `too old resource version: ${asked} (${oldest})`);
}
