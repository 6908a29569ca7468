import type { LeaseObject } from '../../../src/testing/types.js';
import type { Writer } from './network.js';

/** One change of one Lease, and its writer. */
export interface Change extends Writer {
  readonly name: string;
  readonly version: bigint;
  /** `null` when it was created. */
  readonly before: LeaseObject | null;
  /** `null` when it was deleted. */
  readonly after: LeaseObject | null;
}

/** A broken promise by its number in docs/safety.md, or another duty by its name. */
export interface Violation {
  readonly promise: string;
  readonly what: string;
}

export type Violate = (promise: string, what: string) => void;

interface Mark {
  readonly nonce: string;
  readonly token: bigint;
  readonly stamp: string;
}

const TERM = 'sync.metaparticle.io/term';
const WAITING = 'sync.metaparticle.io/waiting-';

/** Checks what follows from the committed writes alone, each with its writer. */
export class InvariantChecker {
  /** Until when a term's landed writes let it believe, in elapsed time of its own node. */
  readonly #covered = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #tokens = new Map<string, bigint>();
  readonly #takers = new Map<string, string>();
  readonly #beliefMs: number;
  readonly #ours: (node: string) => boolean;
  readonly #violate: Violate;
  readonly #count: (what: string) => void;

  constructor(
    beliefMs: number,
    ours: (node: string) => boolean,
    violate: Violate,
    count: (what: string) => void,
  ) {
    this.#beliefMs = beliefMs;
    this.#ours = ours;
    this.#violate = violate;
    this.#count = count;
  }

  coveredUntil(nonce: string): number {
    return this.#covered.get(nonce) ?? -Infinity;
  }

  note(change: Change): void {
    if (!this.#ours(change.by)) return;
    this.#checkStamp(change);
    const [before, after] = [markOf(change.before), markOf(change.after)];
    // Giving up a claim moves the version of whatever is stored, and must leave all of it as it is.
    const isMoved = after !== null && after.nonce === before?.nonce && after.stamp === before.stamp;
    if (isMoved) return this.#moved(change);
    if (after !== null) this.#credit(change, after);
    if (after !== null && after.nonce !== before?.nonce) this.#acquired(change, after);
    if (holderOf(change.before) !== '' && holderOf(change.after) === '') {
      this.#vacated(change, before);
    }
  }

  /** By its own record of who wrote what, the API server shows how long ago a lease was renewed. */
  #checkStamp({ name, by, before, after }: Change): void {
    if (after?.spec.renewTime === undefined) return;
    if (before !== null && announcementsOf(after) > announcementsOf(before)) {
      this.#count('announcement');
    }
    if (before?.metadata.uid !== after.metadata.uid) return;
    if (before.spec.renewTime !== after.spec.renewTime) return;
    if (stampOf(before) !== stampOf(after)) {
      this.#violate('stamp', `${name}: ${by} renewed nothing, and the API server says that it did`);
    }
  }

  #moved({ name, by, before, after }: Change): void {
    if (JSON.stringify(before?.spec) === JSON.stringify(after?.spec)) return;
    this.#violate('5', `${name}: ${by} changed the record of ${holderOf(before)}`);
  }

  #credit({ by, sentAt }: Change, { nonce }: Mark): void {
    const until = sentAt + this.#beliefMs;
    this.#covered.set(nonce, Math.max(this.coveredUntil(nonce), until));
    const owner = this.#owners.get(nonce) ?? by;
    if (owner !== by) this.#violate('5', `${by} wrote into the term of ${owner}`);
    this.#owners.set(nonce, owner);
  }

  #acquired({ name, by, before, version }: Change, { token }: Mark): void {
    const last = this.#tokens.get(name) ?? 0n;
    if (token <= last) {
      this.#violate('2', `${name}: ${by} took token ${token} in version ${version} after ${last}`);
    }
    if (String(token) !== before?.metadata.resourceVersion) {
      this.#violate('2', `${name}: token ${token} of ${by} is not the version it replaced`);
    }
    this.#tokens.set(name, token);
    if (holderOf(before) !== '') this.#count('takeover');
    else if ((this.#takers.get(name) ?? by) !== by) this.#count('hand-off');
    this.#takers.set(name, by);
  }

  #vacated({ name, by, before, after }: Change, mark: Mark | null): void {
    if (mark !== null && after !== null && this.#owners.get(mark.nonce) === by) return;
    const act = after === null ? 'deleted' : 'vacated';
    this.#violate('5', `${name}: ${by} ${act} the record of ${holderOf(before)}`);
  }
}

export function holderOf(lease: LeaseObject | null): string {
  return lease?.spec.holderIdentity ?? '';
}

function announcementsOf(lease: LeaseObject): number {
  const annotations = Object.keys(lease.metadata.annotations ?? {});
  return annotations.filter((name) => name.startsWith(WAITING)).length;
}

/** When the manager of `renewTime` last wrote, by the API server's clock. */
function stampOf({ metadata }: LeaseObject): string | undefined {
  const entries = metadata.managedFields ?? [];
  return entries.find(({ fieldsV1 }) => fieldsV1['f:spec']?.['f:renewTime'] !== undefined)?.time;
}

/** The term annotation, where it speaks for the record that it stands beside. */
function markOf(lease: LeaseObject | null): Mark | null {
  const text = lease?.metadata.annotations?.[TERM];
  if (lease === null || text === undefined || holderOf(lease) === '') return null;
  const mark = JSON.parse(text) as Record<'nonce' | 'token' | 'holder' | 'renewTime', string>;
  const { holderIdentity, renewTime } = lease.spec;
  if (mark.holder !== holderIdentity || mark.renewTime !== renewTime) return null;
  return { nonce: mark.nonce, token: BigInt(mark.token), stamp: renewTime };
}
