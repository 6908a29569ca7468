/**
 * A rival that decides as client-go's elector does: it waits out a record from when it observed it, updates
 * by the version it saw, and releases by whom it *last observed* as holder, onto whatever version stands
 * now, so that it may blank a successor's record. Its belief is told kindly: counted from the send of an
 * update, and a tick shorter than its duration, as its renew deadline is.
 */
import type { LeaseRecord } from '../../../src/lease/record.js';
import { TICK_MS } from './scope.js';
import { create, put } from './server.js';
import { cut } from './outsider.js';
import { RIVAL, leaseOf, nonceOf, registerOf, type Rival, type World } from './world.js';

export function rivalBelieves(world: World): boolean {
  const { rival } = world;
  return rival !== null && isLeader(rival) && world.time < rival.believesUntil && !rival.isCut;
}

/** What it may do next; each is one request and its answer. */
export const rivalActs = {
  /** A GET: what it sees becomes what it observed, and since when if the record is another. */
  look(world: World, rival: Rival): boolean {
    const lease = registerOf(world);
    if (lease === rival.observed) return false;
    if (lease?.fingerprint !== rival.observed?.fingerprint) {
      rival.observedAt = world.time;
      if (lease?.record.holder !== RIVAL) rival.believesUntil = world.time;
    }
    rival.observed = lease;
    return true;
  },
  /** A PUT by the version observed, or a POST that is held from the start. */
  write(world: World, rival: Rival): boolean {
    const { observed } = rival;
    if (observed === null) {
      if (registerOf(world) !== null) return false;
      return succeed(world, rival, create(world, { record: held(world, 0), mark: null }));
    }
    const isFree =
      observed.record.holder === '' || world.time >= rival.observedAt + durationOf(world);
    if (!isFree && !isLeader(rival)) return false;
    if (!stands(world, rival)) return false;
    const { transitions } = observed.record;
    const record = held(world, isLeader(rival) ? transitions : transitions + 1);
    world.version += 1n;
    const next = leaseOf(observed.uid, world.version, record, null);
    put(world, next);
    return succeed(world, rival, next);
  },
  /** GET and PUT at once; only the identity that it remembers is checked. */
  release(world: World, rival: Rival): boolean {
    const lease = registerOf(world);
    if (!isLeader(rival) || lease === null) return false;
    if (lease.record.holder !== RIVAL) {
      cut(world);
      vacateFor(world, lease.mark?.nonce);
    }
    const times = { acquireTime: null, renewTime: world.wall };
    const { transitions } = lease.record;
    world.version += 1n;
    const record = { holder: '', durationMs: 1_000, ...times, transitions };
    const next = leaseOf(lease.uid, world.version, record, null);
    put(world, next);
    rival.observed = next;
    rival.observedAt = rival.believesUntil = world.time;
    return true;
  },
} as const;

/**
 * It blanked a record of ours, which is vacant now in its own term. By the clock of a tick its stamp may be that of our
 * own release, and then no reader can tell whose of the two it was.
 */
function vacateFor(world: World, nonce: string | undefined): void {
  for (const one of world.candidates) {
    if (nonceOf(one.index, one.attempt) === nonce) one.hasVacated = true;
  }
}

function succeed(world: World, rival: Rival, lease: NonNullable<Rival['observed']>): boolean {
  rival.observed = lease;
  rival.observedAt = world.time;
  rival.believesUntil = world.time + durationOf(world) - TICK_MS;
  rival.isCut = false;
  return true;
}

function isLeader({ observed }: Rival): boolean {
  return observed?.record.holder === RIVAL;
}

function stands(world: World, { observed }: Rival): boolean {
  const lease = registerOf(world);
  return lease?.uid === observed?.uid && lease?.version === observed?.version;
}

function durationOf({ scope }: World): number {
  return scope.durationsMs[0]!;
}

function held(world: World, transitions: number): LeaseRecord {
  const times = { acquireTime: null, renewTime: world.wall };
  return { holder: RIVAL, durationMs: durationOf(world), ...times, transitions };
}
