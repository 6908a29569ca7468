// A process that does nothing but replace a Lease of its own: the yardstick of measurements.
import { setTimeout as sleep } from 'node:timers/promises';
import { serve, settings } from './serve.js';
import { now } from './time.js';
import { Yardstick } from './yardstick.js';

export interface PutSettings {
  /** Path of the Leases of a namespace. */
  readonly leases: string;
  /** Of its Lease. */
  readonly name?: string;
}

export type PutCalls = typeof calls;

const { leases, name = 'yardstick' } = settings() as PutSettings;
const yardstick = await Yardstick.open(leases, name);

const calls = {
  /** @returns how long each of so many took, one after the other */
  put: async (count: number): Promise<number[]> => {
    const took: number[] = [];
    for (let n = 0; n < count; n++) took.push(await yardstick.put());
    return took;
  },

  /** @returns processor time of this process per PUT, milliseconds, at so many a second */
  cpuOf: async ({ count, perSecond }: { count: number; perSecond: number }): Promise<number> => {
    const before = process.cpuUsage();
    const begunAt = now();
    for (let n = 0; n < count; n++) {
      const waitMs = begunAt + (n * 1_000) / perSecond - now();
      if (waitMs > 0) await sleep(waitMs);
      await yardstick.put();
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / count;
  },
};

serve(calls);
