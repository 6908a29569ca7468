/**
 * The Lease API of a cluster, as far as clients of it can tell: one register per name, compare-and-swap by
 * uid and version, a history to watch. Written from the rules alone; it shares nothing with what is tested.
 */

export interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number | null;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number | null;
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly unknown[];
  readonly managedFields?: readonly unknown[];
}

export interface LeaseObject {
  readonly metadata: Metadata;
  readonly spec: LeaseSpec;
}

type Body = { readonly metadata?: Partial<Metadata>; readonly spec?: LeaseSpec } & {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
};

export interface Call {
  readonly method: string;
  readonly name: string;
  readonly body: string | undefined;
  /** Who asks. */
  readonly by: string;
  /** The wall clock of the API server that answers. */
  readonly wall: number;
  /** Elapsed time of whoever asks, when it left him. */
  readonly sentAt: number;
}

type Writer = Pick<Call, 'by' | 'sentAt'>;

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One change of one Lease. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly name: string;
  readonly version: bigint;
  readonly by: string;
  readonly sentAt: number;
  readonly before: LeaseObject | null;
  /** `null` when it was deleted. */
  readonly after: LeaseObject | null;
  /** As a watch tells it. */
  readonly line: string;
}

export const NAMESPACE = 'default';
const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

export class Api {
  readonly history: Change[] = [];
  readonly #leases = new Map<string, LeaseObject>();
  readonly #onChange: (change: Change) => void;
  #version = 100n;
  #uids = 0;

  constructor(onChange: (change: Change) => void) {
    this.#onChange = onChange;
  }

  get version(): bigint {
    return this.#version;
  }

  get(name: string): LeaseObject | null {
    return this.#leases.get(name) ?? null;
  }

  handle(call: Call): Answer {
    const lease = this.get(call.name);
    switch (call.method) {
      case 'GET':
        return lease === null ? missing(call.name) : found(200, lease);
      case 'POST':
        return this.#create(parse(call.body), call);
      case 'PUT':
        return this.#replace(parse(call.body), call);
      case 'DELETE':
        return this.#delete(parse(call.body), call);
      default:
        return failure(405, 'MethodNotAllowed', 'no such method');
    }
  }

  /** Somebody with all rights and no manners: writes whatever he likes, unconditionally. */
  force(name: string, by: string, edit: (lease: LeaseObject) => LeaseObject | null): void {
    const before = this.get(name);
    if (before === null) return;
    const after = edit(before);
    const writer = { by, sentAt: 0 };
    if (after === null) this.#remove(before, writer);
    else this.#put(before, after, writer);
  }

  #create(body: Body, call: Call): Answer {
    const name = body.metadata?.name ?? '';
    if (this.get(name) !== null) return failure(409, 'AlreadyExists', `"${name}" already exists`);
    const invalid = validate(body);
    if (invalid !== null) return invalid;
    this.#uids += 1;
    return found(201, this.#put(null, this.#merge(null, name, body, call), call));
  }

  #replace(body: Body, call: Call): Answer {
    const lease = this.get(call.name);
    const { uid = '', resourceVersion = '' } = body.metadata ?? {};
    if (lease === null) {
      if (uid !== '') return conflict('Precondition failed: UID');
      return this.#create(body, call);
    }
    if (uid !== '' && uid !== lease.metadata.uid) return conflict('Precondition failed: UID');
    if (resourceVersion !== '' && resourceVersion !== lease.metadata.resourceVersion) {
      return conflict('the object has been modified');
    }
    const invalid = validate(body);
    if (invalid !== null) return invalid;
    const next = this.#merge(lease, call.name, body, call);
    // Identical bytes are no write: the old version stays.
    const isStamped = next.spec.renewTime !== lease.spec.renewTime;
    if (!isStamped && content(next) === content(lease)) return found(200, lease);
    return found(200, this.#put(lease, next, call));
  }

  #delete({ preconditions = {} }: Body, { name, ...writer }: Call): Answer {
    const lease = this.get(name);
    if (lease === null) return missing(name);
    const { uid = lease.metadata.uid, resourceVersion = lease.metadata.resourceVersion } =
      preconditions;
    if (uid !== lease.metadata.uid || resourceVersion !== lease.metadata.resourceVersion) {
      return conflict('Precondition failed');
    }
    this.#remove(lease, writer);
    return { status: 200, body: '{"kind":"Status","status":"Success"}' };
  }

  #merge(lease: LeaseObject | null, name: string, body: Body, { wall }: Call): LeaseObject {
    const { labels, annotations, ownerReferences } = body.metadata ?? {};
    const { spec = {} } = body;
    const isStamped = lease !== null && lease.spec.renewTime === spec.renewTime;
    return {
      metadata: {
        ...{ name, namespace: NAMESPACE },
        uid: lease?.metadata.uid ?? `uid-${this.#uids}`,
        resourceVersion: lease?.metadata.resourceVersion ?? '',
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
        managedFields: isStamped ? (lease.metadata.managedFields ?? []) : [stamp(wall)],
      },
      spec,
    };
  }

  #put(before: LeaseObject | null, lease: LeaseObject, { by, sentAt }: Writer): LeaseObject {
    const version = this.#nextVersion();
    const metadata = { ...lease.metadata, resourceVersion: String(version) };
    const after = { ...lease, metadata };
    this.#leases.set(metadata.name, after);
    this.#note({
      type: before === null ? 'ADDED' : 'MODIFIED',
      version,
      before,
      after,
      by,
      sentAt,
    });
    return after;
  }

  #remove(before: LeaseObject, { by, sentAt }: Writer): void {
    const version = this.#nextVersion();
    this.#leases.delete(before.metadata.name);
    this.#note({ type: 'DELETED', version, before, after: null, by, sentAt });
  }

  /** Other objects of the cluster count on the same counter. */
  #nextVersion(): bigint {
    this.#version += this.#version % 3n === 0n ? 4n : 1n;
    return this.#version;
  }

  #note(change: Omit<Change, 'line' | 'name'>): void {
    const { type, version, before, after } = change;
    const seen = after ?? before;
    if (seen === null) return;
    const metadata = { ...seen.metadata, resourceVersion: String(version) };
    const line = lineOf(type, { ...seen, metadata });
    const whole = { ...change, name: metadata.name, line };
    this.history.push(whole);
    this.#onChange(whole);
  }
}

export function lineOf(type: string, { metadata, spec }: LeaseObject): string {
  const object = { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec };
  return `${JSON.stringify({ type, object })}\n`;
}

export function failure(code: number, reason: string, message: string): Answer {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code };
  return { status: code, body: JSON.stringify(status) };
}

function found(status: number, { metadata, spec }: LeaseObject): Answer {
  const lease = { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec };
  return { status, body: JSON.stringify(lease) };
}

function missing(name: string): Answer {
  return failure(404, 'NotFound', `leases.coordination.k8s.io "${name}" not found`);
}

function conflict(why: string): Answer {
  return failure(409, 'Conflict', why);
}

function parse(body: string | undefined): Body {
  return JSON.parse(body ?? '{}') as Body;
}

function validate({ spec = {} }: Body): Answer | null {
  for (const time of [spec.acquireTime, spec.renewTime]) {
    if (time != null && !microTime.test(time)) return failure(400, 'BadRequest', `time ${time}`);
  }
  const seconds = spec.leaseDurationSeconds ?? 1;
  return seconds > 0 ? null : failure(422, 'Invalid', 'must be greater than 0');
}

function content({
  metadata: { labels, annotations, ownerReferences },
  spec,
}: LeaseObject): string {
  const sorted = (map: object | undefined) => Object.entries(map ?? {}).sort();
  return JSON.stringify([sorted(labels), sorted(annotations), ownerReferences, sorted(spec)]);
}

function stamp(wall: number): unknown {
  const time = `${new Date(wall).toISOString().slice(0, 19)}Z`;
  return {
    manager: 'any',
    operation: 'Update',
    time,
    fieldsV1: { 'f:spec': { 'f:renewTime': {} } },
  };
}
