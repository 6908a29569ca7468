// Leadership that is passed on among candidates of client-go.
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltClientGo } from '../client-go/find.js';
import type { Cluster } from '../cluster.js';
import type { WorkerPool } from './pool.js';
import { ClientGoCandidate } from '../client-go/candidate.js';
import { now } from './time.js';

/** Each of them mostly sleeps. */
const LANES = 4;
/** Longer than client-go sleeps between two looks, which is 2 s × 2.2 at most. */
const COOLDOWN = '5s';
const MEAN_SLEEP_MS = 3_200;

/** From the wish to end a term to the next one's, with the timings of its users; several pairs beside each other. */
export async function resignations(
  cluster: Cluster,
  pool: WorkerPool,
  program: BuiltClientGo,
  forMs: number,
): Promise<number[]> {
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const start = (identity: string): Promise<ClientGoCandidate> =>
      ClientGoCandidate.start(pool, program, cluster, {
        ...{ lease: `succession-${lane}`, identity, pause: COOLDOWN },
        ...{ duration: '15s', deadline: '10s', retry: '2s' },
      });
    let leader = await start('one');
    await leader.next('leading', 0);
    let waiter = await start('other');
    let waitingSince = 0;
    const took: number[] = [];
    const until = now() + forMs;
    while (now() < until) {
      await waiter.next('get', (await waiter.next('campaigning', waitingSince)).at);
      await sleep(Math.random() * MEAN_SLEEP_MS);
      waitingSince = await leader.resign();
      took.push((await ledBy(waiter, leader, waitingSince)) - waitingSince);
      [leader, waiter] = [waiter, leader];
    }
    await Promise.all([leader.kill(), waiter.kill()]);
    return took;
  });
  return (await Promise.all(lanes)).flat();
}

/**
 * When the waiter leads. A release of client-go's may get lost; who resigned then finds its own name in the
 * record after its pause, leads again, and has to resign once more.
 */
async function ledBy(
  waiter: ClientGoCandidate,
  resigned: ClientGoCandidate,
  since: number,
): Promise<number> {
  for (;;) {
    const led = [waiter, resigned].map((one) => one.next('leading', since));
    for (const one of led) one.catch(() => undefined);
    const { at } = await Promise.race(led);
    if (!resigned.isLeading) return at;
    since = await resigned.resign();
  }
}
