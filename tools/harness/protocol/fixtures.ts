import type { Instant } from '../../../src/lease/clock.js';
import type { Announcement, Change, Lease, LeaseKey } from '../../../src/lease/record.js';
import type { Pace } from '../../../src/lease/protocol/contention.js';
import type { Terms } from '../../../src/lease/protocol/state.js';

export const key: LeaseKey = { namespace: 'default', name: 'job' };

export function terms(nonce: string, over: Partial<Terms> = {}): Terms {
  return {
    identity: `pod-${nonce}`,
    nonce,
    durationMs: 15_000,
    marginMs: 2_000,
    unseenMs: 0,
    renewIntervalMs: 2_000,
    trustServerClock: true,
    deleteOnRelease: false,
    aim: 'hold',
    announcementId: idOf(nonce),
    announceAfterMs: 2_000,
    ...over,
  };
}

/** A name for the announcement of an attempt: its nonce in hexadecimal digits. */
export function idOf(nonce: string): string {
  return Buffer.from(nonce).toString('hex').padStart(16, '0').slice(-16);
}

/** Without rivals, near the API server. */
export const pace: Pace = { holdOffMs: 0, roundTripMs: 5 };

/** All clocks agree and show `ms`; the wall clock is a round number ahead. */
export function at(ms: number, over: Partial<Instant> = {}): Instant {
  return { monotonic: ms, elapsed: ms, wall: 1_700_000_000_000 + ms, ...over };
}

/** A Lease as the server would show it after `change`. */
export function leaseWith(change: Change, version: bigint, over: Partial<Lease> = {}): Lease {
  const { record, mark } = change;
  return {
    key,
    uid: 'uid-1',
    version,
    record,
    mark: record.holder === '' ? null : mark,
    strategy: null,
    fingerprint: JSON.stringify(record),
    waiting: [],
    // Something in it was edited, unless a test says otherwise.
    content: `of version ${version}`,
    idleMs: null,
    raw: null,
    ...over,
  };
}

/** What stands on a Lease after a write onto it. */
export function waitingAfter(
  { waiting }: Pick<Lease, 'waiting'>,
  { announcement, ended = [] }: Pick<Change, 'announcement' | 'ended'>,
): readonly Announcement[] {
  const gone = announcement === undefined ? ended : [...ended, announcement.id];
  const left = waiting.filter(({ id }) => !gone.includes(id));
  return announcement === undefined ? left : [...left, announcement];
}

/** A Lease held by another library. */
export function foreignLease(version: bigint, renewTime: number, over: Partial<Lease> = {}): Lease {
  const times = { acquireTime: 1, renewTime };
  const record = { holder: 'other', durationMs: 15_000, ...times, transitions: 3 };
  return leaseWith({ record, mark: null }, version, over);
}

export function vacantLease(version: bigint, over: Partial<Lease> = {}): Lease {
  const times = { acquireTime: 1, renewTime: 1 };
  const record = { holder: '', durationMs: 1_000, ...times, transitions: 3 };
  return leaseWith({ record, mark: null }, version, over);
}
