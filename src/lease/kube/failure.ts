import {
  ApiError,
  ApiUnreachableError,
  ForbiddenError,
  NamespaceError,
  UnauthorizedError,
} from '../../errors.js';
import type { SyncError } from '../../errors.js';
import type { Refused, Unknown } from '../store.js';
import { asArray, asObject, asString, isObject, parseJson } from './json.js';
import { gist } from './words.js';

/** What was asked, for messages that say what to change. */
export interface Question {
  readonly verb: 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'watch';
  readonly namespace: string;
  readonly server: string;
}

/** A Kubernetes Status, or the words of whoever answered in its place. */
export interface StatusWords {
  readonly isStatus: boolean;
  readonly reason: string;
  readonly message: string;
  /** `details.causes[].reason`. */
  readonly causes: readonly string[];
}

export function readStatus(body: string): StatusWords {
  const status = parseJson(body);
  if (!isObject(status) || status.kind !== 'Status') {
    return { isStatus: false, reason: '', message: gist(body), causes: [] };
  }
  const causes = asArray(asObject(status.details).causes);
  return {
    isStatus: true,
    reason: asString(status.reason),
    message: gist(asString(status.message)),
    causes: causes.map((cause) => asString(asObject(cause).reason)),
  };
}

/** Words of those who judge the content of a request after its sender was found to be allowed. */
const admission = /admission (webhook|plugin|policy)|ValidatingAdmissionPolicy|exceeded quota/i;

/** Whether a status of 4xx comes from admission, whatever its number: a webhook may choose any. */
export function isAdmissionRefusal({ message }: StatusWords): boolean {
  return admission.test(message);
}

/** The outcome of an answer that is neither success nor one that the protocol has a name for. */
export function failureOf(
  status: number,
  words: StatusWords,
  question: Question,
): Refused | Unknown {
  if (status >= 500) return { kind: 'unknown', error: overloaded(status, words, question) };
  if (status === 429) {
    return { kind: 'refused', error: overloaded(status, words, question), transient: true };
  }
  return { kind: 'refused', error: refusal(status, words, question), transient: false };
}

function refusal(status: number, words: StatusWords, { verb, namespace }: Question): SyncError {
  const { reason, message, causes } = words;
  if (status === 401) return new UnauthorizedError(message);
  if (causes.includes('NamespaceTerminating')) return new NamespaceError(namespace, message);
  if (status === 403 && !isAdmissionRefusal(words)) {
    return new ForbiddenError(verb, 'leases', namespace, message);
  }
  if (status === 404 && verb === 'create' && words.isStatus) {
    return new NamespaceError(namespace, message);
  }
  return new ApiError(status, reason || 'unexpected', message);
}

function overloaded(status: number, words: StatusWords, { server }: Question): SyncError {
  const message = `the API server ${server} gives no answer: ${status} ${words.reason} ${words.message}`;
  return new ApiUnreachableError(message.trimEnd(), server);
}
