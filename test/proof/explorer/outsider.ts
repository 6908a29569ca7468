/** Writers that follow no protocol: people with kubectl, controllers that label, cleaners that delete. */
import { put, remove } from './server.js';
import type { OUTSIDER } from './world.js';
import { RIVAL, leaseOf, nonceOf, registerOf, type World } from './world.js';

/** The holder that the register names loses its record: from here on its belief may overlap another's. */
export function cut(world: World): void {
  const lease = registerOf(world);
  for (const one of world.candidates) {
    if (lease?.mark?.nonce === nonceOf(one.index, one.attempt)) one.isCut = true;
  }
  if (world.rival !== null && lease?.record.holder === RIVAL) world.rival.isCut = true;
}

/** Moves the version and nothing that the protocol reads. */
export function label(world: World): void {
  const lease = registerOf(world)!;
  world.version += 1n;
  put(world, { ...lease, version: world.version });
}

/** Real stamps have microseconds, so an outsider does not hit one of ours by chance. Here it would every second. */
const BESIDE_MS = 1;

export function overwrite(world: World, by: typeof OUTSIDER | ''): void {
  const lease = registerOf(world)!;
  cut(world);
  world.version += 1n;
  const durationMs = by === '' ? 1_000 : world.scope.durationsMs[0]!;
  const times = { acquireTime: null, renewTime: world.wall - BESIDE_MS };
  const record = { holder: by, durationMs, ...times, transitions: lease.record.transitions };
  put(world, leaseOf(lease.uid, world.version, record, null));
}

export function destroy(world: World): void {
  cut(world);
  remove(world);
}
