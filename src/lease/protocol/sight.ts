/**
 * Pure: what one process knows of one lease, and the rule by which news changes it.
 *
 * News comes by reads, by the answers to our own writes and by a watch, in any order and any number of
 * times. Versions put it in order: what is not newer than the newest version known says nothing. A read
 * that was asked after the newest was learnt is the exception, because it is a quorum read: it can only
 * show less when history itself was rewound (etcd restored from a backup), and then it is the truth.
 */
import type { Lease } from '../record.js';

/** What a candidate counts by: our own clock, from when *we* first saw the spec as it stands. */
export interface Present {
  readonly kind: 'present';
  readonly serial: number;
  readonly version: bigint;
  readonly lease: Lease;
  /** Monotonic time of our first sight of this very spec. Label edits leave it alone. */
  readonly firstSeenAt: number;
  /** Monotonic time of the last news of this lease, changed or not. */
  readonly heardAt: number;
  /** Time between the last two changes by one holder, `null` until two were seen. */
  readonly gapMs: number | null;
}

export interface Absent {
  readonly kind: 'absent';
  readonly serial: number;
  /** The newest version known from before: whatever is not newer belongs to the past. */
  readonly version: bigint;
  readonly heardAt: number;
}

/** Grows by news alone; `serial` counts the changes, so that a question can say what was known when asked. */
export type Sight =
  | { readonly kind: 'unknown'; readonly serial: number; readonly version: bigint }
  | Absent
  | Present
  /** A version that is no decimal integer: neither order nor token can be had. */
  | {
      readonly kind: 'unordered';
      readonly serial: number;
      readonly version: bigint;
      readonly lease: Lease;
    };

export type News =
  /** `asked`: the serial of the sight when the question was put; `null` for events and write answers. */
  | { readonly kind: 'present'; readonly lease: Lease; readonly asked: number | null }
  | { readonly kind: 'absent'; readonly version: bigint | null; readonly asked: number | null };

export const nothingSeen: Sight = { kind: 'unknown', serial: 0, version: 0n };

/** The same object when the news says nothing new. `now` is monotonic. */
export function observe(sight: Sight, news: News, now: number): Sight {
  const isAnswer = news.asked !== null && news.asked === sight.serial;
  if (news.kind === 'absent') {
    const ordered = news.version !== null && news.version > sight.version;
    if (!ordered && !isAnswer) return sight;
    if (sight.kind === 'absent')
      return { ...sight, version: max(sight.version, news.version), heardAt: now };
    const version = max(sight.version, news.version);
    return { kind: 'absent', serial: sight.serial + 1, version, heardAt: now };
  }
  const { lease } = news;
  if (lease.version === null) {
    return { kind: 'unordered', serial: sight.serial + 1, version: sight.version, lease };
  }
  if (lease.version > sight.version) return changed(sight, lease, lease.version, now);
  // Also when an event overtook the answer: it is the same object, and only a read tells how idle it is.
  const isSame = lease.version === sight.version && sight.kind === 'present';
  if (isSame) return news.asked === null ? sight : heardAgain(sight, lease, now);
  if (!isAnswer) return sight;
  return changed(nothingSeen, lease, lease.version, now, sight.serial + 1);
}

function changed(
  sight: Sight,
  lease: Lease,
  version: bigint,
  now: number,
  serial = sight.serial + 1,
): Present {
  const next = { kind: 'present', serial, version, lease, heardAt: now } as const;
  if (sight.kind !== 'present' || sight.lease.uid !== lease.uid) {
    return { ...next, firstSeenAt: now, gapMs: null };
  }
  if (sight.lease.fingerprint === lease.fingerprint) {
    return { ...next, firstSeenAt: sight.firstSeenAt, gapMs: sight.gapMs };
  }
  const sameHolder = sight.lease.record.holder === lease.record.holder;
  return { ...next, firstSeenAt: now, gapMs: sameHolder ? now - sight.firstSeenAt : null };
}

/** Nothing moved; but a read may carry the server's own account of how long the lease has been idle. */
function heardAgain(sight: Present, lease: Lease, now: number): Present {
  return { ...sight, lease, heardAt: now };
}

function max(a: bigint, b: bigint | null): bigint {
  return b !== null && b > a ? b : a;
}
