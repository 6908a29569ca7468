// A process that does nothing but replace a Lease of its own over one kept-alive connection: the
// yardstick, without a line of the package.
import { RawClient } from '../raw.js';
import type { Json, RawTarget } from '../raw.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface PutSettings {
  readonly target: RawTarget;
  /** Path of the Leases of a namespace. */
  readonly leases: string;
}

export type PutCalls = typeof calls;

const { target, leases } = settings<PutSettings>();
const client = new RawClient(target);
let lease: Json | undefined;

const calls = {
  /** @returns how long each of so many took, one after the other */
  put: async (count: number): Promise<number[]> => {
    lease ??= await create();
    const took: number[] = [];
    for (let n = 0; n < count; n++) {
      const spec = { holderIdentity: `yardstick-${n}`, leaseDurationSeconds: 15 };
      const startedAt = now();
      const { status, body } = await client.request('PUT', `${leases}/yardstick`, { ...lease, spec });
      took.push(now() - startedAt);
      if (status !== 200) throw new Error(`PUT: ${status} ${JSON.stringify(body)}`);
      lease = body;
    }
    return took;
  },
};

serve(calls);

async function create(): Promise<Json> {
  const { status, body } = await client.request('POST', leases, { metadata: { name: 'yardstick' } });
  if (status !== 201) throw new Error(`POST: ${status} ${JSON.stringify(body)}`);
  return body;
}
