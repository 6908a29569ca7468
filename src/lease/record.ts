/**
 * Values, not behavior: what a Lease object says, after the edge has parsed it and before anyone has
 * drawn a conclusion from it. Nothing here knows about time, the network or JSON.
 *
 * Words: a *lease* is the Kubernetes object, a *record* its spec, a *term* one acquisition until its end.
 */

/** Where a lease lives. */
export interface LeaseKey {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The classic five spec fields. Times are wall-clock milliseconds since the epoch, `null` when absent or
 * unreadable; they are never compared with a local clock, only with each other.
 */
export interface LeaseRecord {
  /** Empty when vacant; `null` on the wire reads as empty. */
  readonly holder: string;
  /** `null` when the record names none: readers then assume their own. */
  readonly durationMs: number | null;
  readonly acquireTime: number | null;
  readonly renewTime: number | null;
  readonly transitions: number;
}

/**
 * Our annotation on a held lease. It speaks for the record only while `holder` and `renewTime` of the spec
 * are the ones it was written with: other electors keep annotations they do not know.
 */
export interface TermMark {
  /** Random, one per acquisition. *Ours* always means "a nonce of mine that lives", never the identity. */
  readonly nonce: string;
  /** The fencing token: the resourceVersion that the claim of this term replaced. */
  readonly token: bigint;
}

/** An announcement asks for no more, and a vacancy is left alone for no longer, whatever it asks for. */
export const LONGEST_STAND_BACK_MS = 500;

/** What a waiter that is passed over writes onto the Lease: beside the record, of which it is no part. */
export interface Announcement {
  /** Of the attempt that waits, 16 hexadecimal digits. */
  readonly id: string;
  /** How long it had waited when it wrote this. */
  readonly waitedMs: number;
  /** How long the others are to leave a vacancy alone. */
  readonly standBackMs: number;
}

/** A Lease object as some API server showed it, at one version. */
export interface Lease {
  readonly key: LeaseKey;
  readonly uid: string;
  /** The resourceVersion; `null` when it is not a decimal integer, so that no token could be had. */
  readonly version: bigint | null;
  readonly record: LeaseRecord;
  /** Present only when it is valid for this very record. */
  readonly mark: TermMark | null;
  /** Non-empty when the lease belongs to coordinated leader election, which grants it from the server. */
  readonly strategy: string | null;
  /** The whole spec, unknown fields included, in a canonical form: equal exactly when nothing in it changed. */
  readonly fingerprint: string;
  /** Announcements that stand on it, in no order. */
  readonly waiting: readonly Announcement[];
  /** All that others may edit, announcements left out, in a canonical form. Made when it is asked for. */
  readonly content: string;
  /**
   * How long the API server's own clock says `renewTime` had been left alone when it answered, `null` when
   * it does not say so reliably. Only a read can carry it.
   */
  readonly idleMs: number | null;
  /** The object as it came, for the edge to write back what we do not understand. Opaque to the core. */
  readonly raw: unknown;
}

/** What a write is to leave behind; everything it does not name stays as it was in the object it replaces. */
export interface Change {
  readonly record: LeaseRecord;
  /** The mark to write; `null` removes ours. */
  readonly mark: TermMark | null;
  /** A unique value that moves the version and touches neither spec nor mark. */
  readonly bump?: string;
  /** An announcement to write beside what stands there. */
  readonly announcement?: Announcement;
  /** Announcements to take away, by their ids. */
  readonly ended?: readonly string[];
}

export function isVacant(record: LeaseRecord): boolean {
  return record.holder === '';
}

export function keyOf({ namespace, name }: LeaseKey): string {
  return `${namespace}/${name}`;
}
