import { ApiError } from '../../errors.js';
import type { Announcement, Change, Lease, LeaseKey } from '../record.js';
import type {
  CreateOutcome,
  Decoration,
  DeleteOutcome,
  LeaseStore,
  ReadOutcome,
  Refused,
  RequestOptions,
  Unknown,
  WriteOutcome,
} from '../store.js';
import { failureOf, isAdmissionRefusal, readStatus } from './failure.js';
import type { Question } from './failure.js';
import { parseJson } from './json.js';
import type { Answer, Call, Reply, Transport } from './transport.js';
import {
  decodeLease,
  encodeAnnouncement,
  encodeCreation,
  encodeDeletion,
  encodeReplacement,
} from './wire.js';

/**
 * Names the manager of writes that do not set `renewTime`. The API server keeps, for each manager, when it last
 * wrote: with a name of its own such a write leaves the stamp of the renewal alone, by which the API server shows
 * that a holder is long dead.
 */
const NOTE = '?fieldManager=metaparticle-sync-note';

/** Leases of one API server, each request one attempt: trying again is decided above. */
export class KubeLeaseStore implements LeaseStore {
  readonly #transport: Pick<Transport, 'send'>;
  readonly #server: string;

  constructor(transport: Pick<Transport, 'send'>, server: string) {
    this.#transport = transport;
    this.#server = server;
  }

  async read(key: LeaseKey, options: RequestOptions): Promise<ReadOutcome> {
    // Without a resourceVersion: only then the API server asks etcd's quorum, not its own cache.
    const reply = await this.#transport.send({ method: 'GET', path: pathOf(key) }, options);
    if (reply.kind !== 'answer') return reply;
    if (reply.status === 200) {
      const lease = decodeLease(parseJson(reply.body), reply.answeredAt);
      return lease === null ? unreadable(reply) : { kind: 'found', lease };
    }
    return isMissing(reply) ? { kind: 'missing' } : this.#failure(reply, 'get', key);
  }

  async create(
    key: LeaseKey,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<CreateOutcome> {
    const body = encodeCreation(key, change, decoration);
    const reply = await this.#send('POST', pathOf({ ...key, name: '' }), body, options);
    if (reply.kind !== 'answer') return reply;
    if (isSuccess(reply)) {
      const lease = decodeLease(parseJson(reply.body));
      return lease === null ? unreadable(reply) : { kind: 'created', lease };
    }
    if (reply.status === 409 && readStatus(reply.body).reason === 'AlreadyExists') {
      return { kind: 'exists' };
    }
    const failure = this.#failure(reply, 'create', key);
    // A quota that was written at the same moment: the server itself says to try again.
    const isPassing = reply.status === 409 && readStatus(reply.body).reason === 'Conflict';
    return isPassing && failure.kind === 'refused' ? { ...failure, transient: true } : failure;
  }

  async write(
    base: Lease,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<WriteOutcome> {
    const body = encodeReplacement(base, change, decoration);
    const isNote = change.record.renewTime === base.record.renewTime;
    const path = pathOf(base.key) + (isNote ? NOTE : '');
    const reply = await this.#send('PUT', path, body, options);
    return this.#written(reply, 'update', base.key);
  }

  async announce(
    base: Lease,
    id: string,
    announcement: Announcement | null,
    options: RequestOptions,
  ): Promise<WriteOutcome> {
    const body = encodeAnnouncement(base, id, announcement);
    const reply = await this.#send('PATCH', pathOf(base.key) + NOTE, body, options);
    return this.#written(reply, 'patch', base.key);
  }

  async delete(base: Lease, options: RequestOptions): Promise<DeleteOutcome> {
    const reply = await this.#send('DELETE', pathOf(base.key), encodeDeletion(base), options);
    if (reply.kind !== 'answer') return reply;
    if (reply.status === 200 || reply.status === 202) return { kind: 'deleted' };
    return refusedSwap(reply) ?? this.#failure(reply, 'delete', base.key);
  }

  #written(reply: Reply, verb: 'update' | 'patch', key: LeaseKey): WriteOutcome {
    if (reply.kind !== 'answer') return reply;
    if (isSuccess(reply)) {
      const lease = decodeLease(parseJson(reply.body));
      return lease === null ? unreadable(reply) : { kind: 'written', lease };
    }
    return refusedSwap(reply) ?? this.#failure(reply, verb, key);
  }

  #send(
    method: Call['method'],
    path: string,
    body: unknown,
    options: RequestOptions,
  ): Promise<Reply> {
    return this.#transport.send({ method, path, body: JSON.stringify(body) }, options);
  }

  #failure(answer: Answer, verb: Question['verb'], key: LeaseKey): Refused | Unknown {
    const question = { verb, namespace: key.namespace, server: this.#server };
    return failureOf(answer.status, readStatus(answer.body), question);
  }
}

export function pathOf({ namespace, name }: LeaseKey): string {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  return name === '' ? leases : `${leases}/${encodeURIComponent(name)}`;
}

function isSuccess({ status }: Answer): boolean {
  return status === 200 || status === 201;
}

/** A 404 that is no Status is not about the lease: nobody must lose a lock over a proxy's error page. */
export function isMissing({ status, body }: Pick<Answer, 'status' | 'body'>): boolean {
  return status === 404 && readStatus(body).reason === 'NotFound';
}

function refusedSwap(answer: Answer): { kind: 'conflict' } | { kind: 'missing' } | null {
  if (isMissing(answer)) return { kind: 'missing' };
  const isConflict = answer.status === 409 && !isAdmissionRefusal(readStatus(answer.body));
  return isConflict ? { kind: 'conflict' } : null;
}

/** Something said yes, but did not show what it did. */
function unreadable({ status, body }: Answer): Unknown {
  const { message } = readStatus(body);
  const error = new ApiError(status, 'the answer is no Lease', message, { retryable: true });
  return { kind: 'unknown', error };
}
