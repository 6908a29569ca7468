/** What a Lease object says, in the words of whoever looks at it from outside. */
import { decodeLease, decodeVersion } from '../lease/kube/wire.js';
import { asArray, asObject, parseJson, type JsonObject } from '../lease/kube/json.js';
import type { Lease } from '../lease/record.js';

/** Who wrote a record: this package, an elector like client-go's, the server's own coordination, or somebody else. */
export type LeaseKind = 'ours' | 'client-go' | 'coordinated' | 'foreign';

export interface LeaseStatus {
  readonly namespace: string;
  readonly name: string;
  /** `null` when vacant. */
  readonly holder: string | null;
  readonly kind: LeaseKind | null;
  /** `overdue`: held, and not renewed for longer than its duration, as far as clocks agree. */
  readonly state: 'held' | 'vacant' | 'overdue';
  /** The fencing token as a decimal string; `null` unless the record is ours. */
  readonly token: string | null;
  readonly since: string | null;
  readonly renewed: string | null;
  readonly durationSeconds: number | null;
  readonly transitions: number;
}

export interface LeaseList {
  /** To follow it from. */
  readonly version: bigint;
  readonly leases: readonly Lease[];
}

/** A list, one Lease, or the Status that says that there is none. */
export function readLeases(body: string): LeaseList {
  const answer = asObject(parseJson(body));
  const items = 'items' in answer ? asArray(answer['items']) : [answer];
  const version = decodeVersion(asObject(answer['metadata'])['resourceVersion']);
  const leases = items.flatMap((item) => decodeLease(item) ?? []);
  return { version: version ?? 0n, leases };
}

/** @param now of the API server's clock: the times in a record are those of its holder */
export function statusOf(lease: Lease, now: number): LeaseStatus {
  const { key, record, mark } = lease;
  const isHeld = record.holder !== '';
  return {
    ...key,
    holder: isHeld ? record.holder : null,
    kind: isHeld ? kindOf(lease) : null,
    state: isHeld ? (isOverdue(lease, now) ? 'overdue' : 'held') : 'vacant',
    token: mark?.token.toString() ?? null,
    since: isHeld ? timeOf(record.acquireTime) : null,
    renewed: timeOf(record.renewTime),
    durationSeconds: record.durationMs === null ? null : record.durationMs / 1_000,
    transitions: record.transitions,
  };
}

function kindOf({ mark, strategy, raw }: Lease): LeaseKind {
  if (strategy !== null) return 'coordinated';
  if (mark !== null) return 'ours';
  // The heartbeats of nodes and API servers are Leases, too, of which nothing is ever acquired.
  const spec = asObject((raw as JsonObject)['spec']);
  return 'leaseTransitions' in spec && 'acquireTime' in spec ? 'client-go' : 'foreign';
}

function isOverdue({ record: { renewTime, durationMs } }: Lease, now: number): boolean {
  return renewTime === null || durationMs === null || now - renewTime > durationMs;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
