// A process that does nothing but replace a Lease of its own over one kept-alive connection: the
// yardstick, without a line of the package.
import { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient } from '../raw.js';
import type { Json } from '../raw.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface PutSettings {
  /** Path of the Leases of a namespace. */
  readonly leases: string;
  /** Of its Lease. */
  readonly name?: string;
}

export type PutCalls = typeof calls;

const { leases, name = 'yardstick' } = settings() as PutSettings;
const client = await connect();
let lease = await create();

const calls = {
  /** @returns how long each of so many took, one after the other */
  put: async (count: number): Promise<number[]> => {
    const took: number[] = [];
    for (let n = 0; n < count; n++) {
      const startedAt = now();
      await replace(n);
      took.push(now() - startedAt);
    }
    return took;
  },

  /** @returns processor time of this process per PUT, milliseconds, at so many a second */
  cpuOf: async ({ count, perSecond }: { count: number; perSecond: number }): Promise<number> => {
    const before = process.cpuUsage();
    const begunAt = now();
    for (let n = 0; n < count; n++) {
      const waitMs = begunAt + (n * 1_000) / perSecond - now();
      if (waitMs > 0) await sleep(waitMs);
      await replace(n);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / count;
  },
};

serve(calls);

async function replace(n: number): Promise<void> {
  const spec = { holderIdentity: `yardstick-${n}`, leaseDurationSeconds: 15 };
  const { status, body } = await client.request('PUT', `${leases}/${name}`, { ...lease, spec });
  if (status !== 200) throw new Error(`PUT: ${status} ${JSON.stringify(body)}`);
  lease = body;
}

async function connect(): Promise<RawClient> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, headers } = options;
  return new RawClient({
    server: config.getCurrentCluster()?.server ?? '',
    headers: headers as Record<string, string>,
    tls: { ca, cert, key },
  });
}

async function create(): Promise<Json> {
  const { status, body } = await client.request('POST', leases, {
    metadata: { name },
  });
  if (status !== 201) throw new Error(`POST: ${status} ${JSON.stringify(body)}`);
  return body;
}
