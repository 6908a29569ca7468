// A process that tries for a lock once and then ends, the way a cron job does: no `close()`.
import { LeaseClient, Lock } from '../../../src/index.js';
import type { LeaseOptions } from '../../../src/index.js';
import { settings } from './serve.js';

export interface TrySettings {
  readonly name: string;
  readonly identity: string;
  readonly options?: LeaseOptions;
}

/** The only line of its output, as JSON. */
export interface TryResult {
  /** `null`: another process has the lock. */
  readonly token: string | null;
}

const { name, identity, options = {} } = settings() as TrySettings;
const handle = await new Lock(name, {
  client: new LeaseClient({ identity }),
  ...options,
}).tryAcquire();
const result: TryResult = { token: handle?.fencingToken.toString() ?? null };
process.stdout.write(`${JSON.stringify(result)}\n`);
await handle?.release();
