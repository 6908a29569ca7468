import { expect } from '@jest/globals';
import type { ApiObject, RawWatch, WatchEvent } from '../../../tools/harness/raw.js';
import type { GetCluster } from './lease.js';

/** Long enough for an event that must not come to have come. */
export const SILENCE_MS = 300;

/** Opens watches of the Leases of the namespace, which must not be refused. */
export function opener(get: GetCluster): (query: string) => Promise<RawWatch> {
  return async (query) => {
    const watch = await get().watch(`${get().leases}?watch=true&${query}`);
    expect(watch).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    return watch;
  };
}

/** The part of a query that selects this Lease alone. */
export function byName(lease: ApiObject): string {
  return `fieldSelector=metadata.name%3D${lease.metadata.name}`;
}

/** Fails unless there was an event. */
export function seen(event: WatchEvent | 'end' | 'silent'): WatchEvent {
  if (typeof event === 'string') throw new Error(`an event was expected: ${event}`);
  return event;
}
