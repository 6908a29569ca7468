// An API server that freezes: connections stay open, nothing answers. On a control plane of the test's own.
import { describe, expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { ControlPlane } from '../../../tools/harness/control-plane/index.js';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import type { Account, HolderCalls } from '../../../tools/harness/processes/holder.js';
import type { Worker, WorkerPool } from '../../../tools/harness/processes/pool.js';
import { now } from '../../../tools/harness/processes/time.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testOnControlPlane } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';

/** The defaults. */
const OPTIONS = { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 };
/** An outage by which no lock is lost: an attempt of one second is still to succeed after it. */
const SURVIVED_MS = OPTIONS.leaseDurationMs - OPTIONS.marginMs - OPTIONS.renewIntervalMs - 1_000;
/** An outage by which every lock is lost. */
const FATAL_MS = 20_000;
const SURVIVED_TIMES = isFull ? 5 : 1;
/** How late the timer of a signal may be and the signal still have its whole margin; `isHeld()` needs none. */
const ALLOWED_LATENESS_MS = 50;
/** What a server sent before it was frozen has come by then. */
const UNDER_WAY_MS = 500;
const ACQUIRE_LIMIT_MS = 120_000;
const LIMIT_MS = 300_000;

type Bed = TestBed & { readonly plane: ControlPlane };

interface Named extends Account {
  readonly name: string;
}

/** Processes that hold locks; some are asked all the time whether they do, others never. */
class Holders {
  readonly #pool: WorkerPool;
  readonly #workers: { worker: Worker<HolderCalls>; names: readonly string[] }[] = [];

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  get names(): string[] {
    return this.#workers.flatMap(({ names }) => names);
  }

  /** In one new process. */
  async acquire(cluster: Cluster, asks: boolean, names: readonly string[]): Promise<void> {
    const settings = { options: OPTIONS, asks };
    const worker = await this.#pool.spawn<HolderCalls>('holder', cluster, settings);
    await Promise.all(names.map((name) => worker.call('acquire', name, ACQUIRE_LIMIT_MS)));
    this.#workers.push({ worker, names });
  }

  async accounts(): Promise<Named[]> {
    const each = this.#workers.flatMap(({ worker, names }) =>
      names.map(async (name) => ({ name, ...(await worker.call('account', name)) })),
    );
    return Promise.all(each);
  }
}

async function hold({ cluster, pool }: Bed): Promise<Holders> {
  const names = (kind: string, length: number): string[] =>
    Array.from({ length }, (_, n) => `${kind}-${n}`);
  const holders = new Holders(pool);
  await holders.acquire(cluster, true, names('asked', 5));
  await holders.acquire(cluster, false, names('unasked', 3));
  return holders;
}

/** Freezes the API server for some time, in which it answers nothing. */
async function freeze<T>(
  { plane, cluster }: Bed,
  forMs: number,
  then: () => Promise<T>,
): Promise<T> {
  plane.pause();
  // Not all threads of a program stop at once.
  await sleep(UNDER_WAY_MS);
  let isAnswered = false;
  const answer = cluster.request('GET', '/version').then(() => (isAnswered = true));
  try {
    await sleep(forMs - UNDER_WAY_MS);
    expect(isAnswered).toBe(false);
    return await then();
  } finally {
    plane.resume();
    await answer;
  }
}

/** Every lock is held, or the machine stalled for longer than a renewal has to spare. */
async function expectHeld({ witness }: Bed, holders: Holders, since: number): Promise<void> {
  const lost = (await holders.accounts()).filter(({ isHeld }) => !isHeld);
  if (lost.length === 0) {
    witness.hold();
    return;
  }
  const words = lost.map(({ name, reason }) => `${name}: ${reason ?? 'not held'}`);
  const stalledMs = await witness.stalledMs(since, now());
  if (stalledMs < SPARE_MS) throw new Error(`lost in an outage to be survived: ${words.join()}`);
  witness.annul(`${words.join()}; the machine stalled for ${ms(stalledMs)}`);
}

/** What a machine has to stall for, before, during and after an outage, to cost a term that would have survived. */
const SPARE_MS = 500;

/** Frozen, again and again, for as long as no lock must be lost by. */
async function survive(bed: Bed): Promise<void> {
  const holders = await hold(bed);
  for (let time = 1; time <= SURVIVED_TIMES; time++) {
    // Somewhere between two renewals.
    await sleep((1 + Math.random()) * OPTIONS.renewIntervalMs);
    const since = now();
    await freeze(bed, SURVIVED_MS, () => Promise.resolve());
    await sleep(2 * OPTIONS.renewIntervalMs);
    await expectHeld(bed, holders, since);
    print('outage', bed.cluster, `frozen ${ms(SURVIVED_MS)}, time ${time}: locks kept`);
  }
  const killedAt = now();
  await bed.plane.restart();
  const downMs = now() - killedAt;
  await sleep(2 * OPTIONS.renewIntervalMs);
  print('outage', bed.cluster, `killed and restarted: ready again after ${ms(downMs)}`);
  // A restart that takes longer than a term endures says nothing.
  if (downMs < SURVIVED_MS) await expectHeld(bed, holders, killedAt);
  else bed.witness.annul(`the API server took ${ms(downMs)} to restart`);
}

/** Frozen until every lock must have been given up, in good time. */
async function giveUp(bed: Bed, probe: WatchProbe): Promise<void> {
  const holders = await hold(bed);
  await sleep((1 + Math.random()) * OPTIONS.renewIntervalMs);
  const pausedAt = now();
  // They are asked while the server is still frozen: the clock alone has told them.
  const accounts = await freeze(bed, FATAL_MS - 500, () => holders.accounts());
  for (const { isHeld, reason } of accounts) {
    expect({ isHeld, reason }).toEqual({ isHeld: false, reason: 'expired' });
  }
  for (const account of accounts) await checkMargin(bed, probe, account, pausedAt);
  const heirs = new Holders(bed.pool);
  await heirs.acquire(bed.cluster, false, holders.names);
}

/** Counted from when the last write left that the API server showed to have landed. */
async function checkMargin(
  { witness }: Bed,
  probe: WatchProbe,
  account: Named,
  pausedAt: number,
): Promise<void> {
  const { name, sends, trueAt, abortedAt } = account;
  const committed = probe.of(name).findLast(({ at }) => at < pausedAt + UNDER_WAY_MS);
  const sentAt = sends.get(committed?.renewTime ?? NaN);
  if (sentAt === undefined) throw new Error(`${name}: its last committed write is not known`);
  const beliefMs = OPTIONS.leaseDurationMs - OPTIONS.marginMs;
  // Its process looks at the clock itself: however late that is, the answer is never too long true.
  if (trueAt !== null) expect(trueAt - sentAt).toBeLessThanOrEqual(beliefMs);
  // Asking aborts the signal too: only where it is not asked the signal shows what the timer does.
  if (trueAt !== null) return;
  await witness.boundedBy({
    ...{ what: `the signal of ${name}`, from: sentAt, until: abortedAt ?? Infinity },
    limitMs: beliefMs + ALLOWED_LATENESS_MS,
  });
}

describe('An outage of the API server', () => {
  testOnControlPlane('that ends belief while the lease still runs', LIMIT_MS, (bed) =>
    WatchProbe.during(bed.cluster, (probe) => giveUp(bed, probe)),
  );
  testOnControlPlane('that no lock is lost by', LIMIT_MS, survive);
});
