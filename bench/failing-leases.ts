// What leases whose writes fail do to the others of one client: `npm run failing-leases` prints the table.
// On the embedded server and its manual clock, so that every run is the same. test/api/client/failing-leases.test.ts
// holds the library to it.
import { fileURLToPath } from 'node:url';
import { LeaseClient, Lock, type LockHandle } from '@metaparticle/sync';
import { startLeaseServer, type ManualLeaseServer } from '@metaparticle/sync/testing';
import { Prng } from '../tools/harness/random.js';

/** What the API server does with the writes of the failing leases: a status to answer with, or no answer. */
export type Trouble = number | 'no answer';

export interface Mixture {
  readonly failing: number;
  readonly healthy: number;
  readonly trouble: Trouble;
  /** How long each answer takes. */
  readonly answerMs: number;
  /** Asked for by the answers that refuse. */
  readonly retryAfterSeconds?: number;
}

export interface Finding {
  /** The least that was left of the belief of a healthy lock, as a part of what a renewal gives. */
  readonly leastBelief: number;
  readonly healthyLost: number;
  /** The part of the requests that failed, while both kinds of request were made. */
  readonly failingShare: number;
  readonly requestsPerSecond: number;
}

const HEALTHY = 'healthy';
const FAILING = 'failing';
/** As the options have them by default. */
const BELIEF_MS = 13_000;
const RENEWAL_MS = 2_000;
const LASTS_MS = 20_000;
const LOOK_EACH_MS = 20;

/** One client holds all of the leases; then writes in one namespace begin to fail, and go on to do so. */
export async function mix(mixture: Mixture): Promise<Finding> {
  const api = await startLeaseServer({ clock: 'manual' });
  const client = new LeaseClient({ kubeConfig: api.kubeConfig, onWarning: () => undefined });
  try {
    const healthy = await hold(api, client, mixture);
    return await observe(api, healthy, mixture);
  } finally {
    api.faults.clear();
    await api.advanceUntil(client.close());
    await api.close();
  }
}

/** The leases are taken in mixed order, at any time within an interval of renewal. */
async function hold(
  api: ManualLeaseServer,
  client: LeaseClient,
  { failing, healthy }: Mixture,
): Promise<readonly LockHandle[]> {
  const prng = new Prng(1);
  const handles: LockHandle[] = [];
  const take = async (namespace: string, n: number): Promise<void> => {
    const lock = new Lock(`lease-${n}`, { client, namespace });
    await api.sleep(prng.whole(0, RENEWAL_MS));
    for (;;) {
      const handle = await lock.acquire();
      if (namespace === HEALTHY) return void handles.push(handle);
      taken++;
      // As an election does, and a service that needs its lock.
      await new Promise((resolve) => handle.signal.addEventListener('abort', resolve));
    }
  };
  let taken = 0;
  for (let n = 0; n < failing; n++) take(FAILING, n).catch(() => undefined);
  for (let n = 0; n < healthy; n++) take(HEALTHY, n).catch(() => undefined);
  await api.advanceUntil(() => handles.length === healthy && taken === failing);
  await api.advance(RENEWAL_MS);
  return handles;
}

async function observe(
  api: ManualLeaseServer,
  handles: readonly LockHandle[],
  { trouble, answerMs, retryAfterSeconds }: Mixture,
): Promise<Finding> {
  if (answerMs > 0)
    api.faults.delay({ requestMs: answerMs, match: ({ verb }) => verb !== 'watch' });
  const match = { namespace: FAILING, verb: 'update' } as const;
  if (trouble === 'no answer') api.faults.hang({ match });
  else api.faults.status({ match, code: trouble, retryAfterSeconds });
  api.requests.reset();
  let least = BELIEF_MS;
  for (let ms = 0; ms < LASTS_MS; ms += LOOK_EACH_MS) {
    await api.advance(LOOK_EACH_MS);
    for (const handle of handles)
      if (handle.isHeld()) least = Math.min(least, handle.remainingMs());
  }
  const { log } = api.requests;
  const countOf = (namespace: string): number =>
    log.filter((request) => request.namespace === namespace && request.verb !== 'watch').length;
  const [failed, fine] = [countOf(FAILING), countOf(HEALTHY)];
  return {
    leastBelief: least / BELIEF_MS,
    healthyLost: handles.filter((handle) => !handle.isHeld()).length,
    failingShare: failed / (failed + fine),
    requestsPerSecond: (failed + fine) / (LASTS_MS / 1_000),
  };
}

const SIZES = [
  { failing: 3, healthy: 12 },
  { failing: 10, healthy: 100 },
  { failing: 30, healthy: 30 },
] as const;
const TROUBLES = [
  { trouble: 500, answerMs: 0 },
  { trouble: 429, answerMs: 0 },
  { trouble: 429, answerMs: 0, retryAfterSeconds: 1 },
  { trouble: 500, answerMs: 150 },
  { trouble: 'no answer', answerMs: 0 },
] as const;

export function mixtures(): readonly Mixture[] {
  return SIZES.flatMap((size) => TROUBLES.map((trouble) => ({ ...size, ...trouble })));
}

const HEAD = ['failing / healthy', 'writes get', 'an answer takes', 'least belief', 'lost'];

async function table(): Promise<string> {
  const head = [...HEAD, 'failing part', 'requests/s'];
  const rows = [head, head.map(() => '---')];
  for (const mixture of mixtures()) {
    const { failing, healthy, trouble, answerMs, retryAfterSeconds } = mixture;
    const found = await mix(mixture);
    const pause = retryAfterSeconds === undefined ? '' : `, Retry-After: ${retryAfterSeconds}`;
    rows.push([
      ...[`${failing} / ${healthy}`, `${trouble}${pause}`, `${answerMs} ms`],
      ...[percent(found.leastBelief), `${found.healthyLost}`, percent(found.failingShare)],
      found.requestsPerSecond.toFixed(1),
    ]);
  }
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await table());
