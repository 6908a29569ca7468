// Leaders that are killed, one after the other: ours and client-go's alike.
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltClientGo } from '../client-go/find.js';
import type { Cluster } from '../cluster.js';
import type { CandidateCalls } from './candidate.js';
import type { WorkerPool } from './pool.js';
import type { WatchProbe } from './watch-probe.js';
import { ClientGoCandidate } from '../client-go/candidate.js';
import { now } from './time.js';

const RENEW_INTERVAL_MS = 2_000;
/** Until the next one listens, and has seen a renewal: it counts from what it saw itself. */
const SETTLING_MS = RENEW_INTERVAL_MS + 500;
const TAKEOVER_LIMIT_MS = 60_000;

/** A candidate of either kind, by its defaults. */
export interface TakeoverCandidate {
  readonly identity: string;
  /** When its first term began. */
  leading(): Promise<number>;
  kill(): Promise<unknown>;
}

export type Start = (lease: string, identity: string) => Promise<TakeoverCandidate>;

export interface Takeover {
  readonly sinceCommit: number;
  readonly sinceKill: number;
}

interface Surroundings {
  readonly cluster: Cluster;
  readonly pool: WorkerPool;
}

export function oursOf({ cluster, pool }: Surroundings): Start {
  return async (name, identity) => {
    const worker = await pool.spawn<CandidateCalls>('candidate', cluster, { name, identity });
    await worker.call('start', undefined);
    const leading = async (): Promise<number> => {
      const { at } = await worker.call('term', 0, TAKEOVER_LIMIT_MS);
      return at;
    };
    return { identity, leading, kill: () => worker.kill() };
  };
}

export function theirsOf({ cluster, pool }: Surroundings, program: BuiltClientGo): Start {
  return async (lease, identity) => {
    const rival = await ClientGoCandidate.start(pool, program, cluster, { lease, identity });
    const leading = async (): Promise<number> =>
      (await rival.next('leading', 0, TAKEOVER_LIMIT_MS)).at;
    return { identity, leading, kill: () => rival.kill() };
  };
}

/** How often, and on how many leases beside each other. */
export interface Size {
  readonly rounds: number;
  readonly lanes: number;
}

export async function takeovers(
  start: Start,
  kind: string,
  probe: WatchProbe,
  { rounds, lanes }: Size,
): Promise<Takeover[]> {
  const each = Array.from({ length: lanes }, (_, n) => lane(start, `${kind}-${n}`, probe, rounds));
  return (await Promise.all(each)).flat();
}

async function lane(
  start: Start,
  lease: string,
  probe: WatchProbe,
  rounds: number,
): Promise<Takeover[]> {
  let leader = await start(lease, `${lease}-0`);
  await leader.leading();
  const took: Takeover[] = [];
  while (took.length < rounds) {
    const next = await start(lease, `${lease}-${took.length + 1}`);
    await sleep(SETTLING_MS + Math.random() * RENEW_INTERVAL_MS);
    const killedAt = now();
    await leader.kill();
    const at = await next.leading();
    const { identity } = leader;
    const last = probe.of(lease).findLast(({ holder }) => holder === identity);
    took.push({ sinceCommit: at - (last?.at ?? NaN), sinceKill: at - killedAt });
    leader = next;
  }
  await leader.kill();
  return took;
}
