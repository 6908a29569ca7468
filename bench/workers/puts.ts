// What renewals are held against: raw PUTs by node:https over one kept connection, paced like them or in a row.
import { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient, type Json } from '../../test/integration/raw.js';
import { serve, settings } from '../../test/integration/workers/serve.js';

export interface PutsSettings {
  readonly leases: string;
}

export type PutsCalls = typeof calls;

const { leases } = settings() as PutsSettings;
const config = new KubeConfig();
config.loadFromDefault();
const options: RequestOptions = {};
await config.applyToHTTPSOptions(options);
const client = new RawClient({
  server: config.getCurrentCluster()?.server ?? '',
  headers: options.headers as Record<string, string>,
  tls: { ca: options.ca, cert: options.cert, key: options.key },
});
const made = await client.request('POST', leases, { metadata: { name: 'puts' } });
let lease: Json = made.body;

const calls = {
  /** @returns processor time of this process per PUT, milliseconds, at so many a second */
  cpuOf: async ({ count, perSecond }: { count: number; perSecond: number }): Promise<number> => {
    const before = process.cpuUsage();
    const begunAt = performance.now();
    for (let n = 0; n < count; n++) {
      const waitMs = begunAt + (n * 1_000) / perSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const spec = { holderIdentity: `puts-${n}`, leaseDurationSeconds: 15 };
      const { status, body } = await client.request('PUT', `${leases}/puts`, { ...lease, spec });
      if (status !== 200) throw new Error(`PUT: ${status}`);
      lease = body;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / count;
  },
};

serve(calls);
