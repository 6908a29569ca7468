import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import type { ControlPlane } from '../../../tools/harness/control-plane/index.js';
import type { WorkerPool, Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import type { Account, HolderCalls } from '../../../tools/harness/processes/holder.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testOnEmbedded, testOnControlPlane } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';

/** What freezes an API server: connections stay open, nothing answers. */
interface Freezer {
  pause(): void;
  resume(): void;
}

interface Timings {
  readonly options: {
    readonly leaseDurationMs: number;
    readonly renewIntervalMs: number;
    readonly marginMs: number;
  };
  /** An outage that no lock is lost by. */
  readonly survivedMs: number;
  /** An outage that every lock is lost by. */
  readonly fatalMs: number;
}

const BY_DEFAULT: Timings = {
  options: { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 },
  ...{ survivedMs: 10_000, fatalMs: 20_000 },
};
const SHORT: Timings = {
  options: { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 },
  ...{ survivedMs: 1_500, fatalMs: 5_000 },
};
const SURVIVED_TIMES = isFull ? 5 : 1;
/** So late a timer may be for the signal to have its whole margin; `isHeld()` needs none. */
const ALLOWED_LATENESS_MS = 50;
/** What a server sent before it was frozen has come by then. */
const UNDER_WAY_MS = 500;
const ACQUIRE_LIMIT_MS = 60_000;
const LIMIT_MS = 240_000;

interface Named extends Account {
  readonly name: string;
}

/** Processes that hold locks; some are asked all the time whether they do, others never. */
class Holders {
  readonly #pool: WorkerPool;
  readonly #members: { worker: Worker<HolderCalls>; names: readonly string[] }[] = [];

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  get names(): string[] {
    return this.#members.flatMap(({ names }) => names);
  }

  get size(): number {
    return this.names.length;
  }

  /** In one new process. */
  async acquire(
    cluster: Cluster,
    options: object,
    asks: boolean,
    names: readonly string[],
  ): Promise<void> {
    const worker = await this.#pool.spawn<HolderCalls>('holder', cluster, { options, asks });
    await Promise.all(names.map((name) => worker.call('acquire', name, ACQUIRE_LIMIT_MS)));
    this.#members.push({ worker, names });
  }

  async accounts(): Promise<Named[]> {
    const each = this.#members.flatMap(({ worker, names }) =>
      names.map(async (name) => ({ name, ...(await worker.call('account', name)) })),
    );
    return Promise.all(each);
  }

  /** In words; empty when all are held. */
  async lost(): Promise<string[]> {
    const lost = (await this.accounts()).filter(({ isHeld }) => !isHeld);
    return lost.map(({ name, reason }) => `${name}: ${reason ?? 'not held'}`);
  }
}

async function hold({ cluster, pool }: TestBed, options: object): Promise<Holders> {
  const names = (who: string, length: number): string[] =>
    Array.from({ length }, (_, n) => `${who}-${n}`);
  const holders = new Holders(pool);
  await holders.acquire(cluster, options, true, names('asked', 5));
  await holders.acquire(cluster, options, false, names('unasked', 3));
  return holders;
}

/** Frozen, again and again, for so long as no lock must be lost by. */
async function survive(of: TestBed, freezer: Freezer, timings: Timings): Promise<Holders> {
  const { options, survivedMs } = timings;
  const holders = await hold(of, options);
  const probe = await WatchProbe.open(of.cluster);
  try {
    for (let time = 1; time <= SURVIVED_TIMES; time++) {
      // Somewhere between two renewals.
      await sleep((1 + Math.random()) * options.renewIntervalMs);
      const pausedAt = now();
      freezer.pause();
      await sleep(survivedMs).finally(() => freezer.resume());
      const resumedAt = now();
      await sleep(2 * options.renewIntervalMs);
      const { seen } = probe;
      const during = seen.filter(({ at }) => at > pausedAt + UNDER_WAY_MS && at < resumedAt);
      expect(during).toEqual([]);
      expect(await holders.lost()).toEqual([]);
      const figures = `frozen ${ms(survivedMs)}, time ${time}`;
      print('outage', of.cluster, `${figures}: ${holders.size} locks kept`);
    }
  } finally {
    probe.close();
  }
  return holders;
}

/** Frozen for so long that every lock must be given up, in good time. */
async function giveUp(of: TestBed, freezer: Freezer, timings: Timings): Promise<void> {
  const { options, fatalMs } = timings;
  const probe = await WatchProbe.open(of.cluster);
  const holders = await hold(of, options);
  await sleep((1 + Math.random()) * options.renewIntervalMs);
  const pausedAt = now();
  freezer.pause();
  // They are asked while the server is still frozen: the clock alone has told them.
  const accounts = await sleep(fatalMs - 500)
    .then(() => holders.accounts())
    .finally(() => {
      freezer.resume();
      probe.close();
    });
  const resumedAt = now();
  for (const { isHeld, reason } of accounts) {
    expect({ isHeld, reason }).toEqual({ isHeld: false, reason: 'expired' });
  }
  const spares = accounts.map((account) => spare(account, probe, timings, pausedAt));
  checkMargins(of, timings, spares);

  const heirs = new Holders(of.pool);
  await heirs.acquire(of.cluster, options, false, holders.names);
  const { cluster } = of;
  print(
    'outage',
    cluster,
    `frozen ${ms(fatalMs)}: all held again ${ms(now() - resumedAt)} after its end`,
  );
}

/** How long before its lease could be taken over a lock was given up. */
interface Spare {
  /** From the last time that `isHeld()` was true; `null` where nobody asked. */
  readonly beliefMs: number | null;
  readonly signalMs: number;
  /** What its process had to wait longer for a timer than is allowed for. */
  readonly excessMs: number;
}

/** Counted from when the last write left that the API server showed to have landed. */
function spare(account: Named, probe: WatchProbe, { options }: Timings, pausedAt: number): Spare {
  const { name, sends, trueAt, abortedAt, latenessMs } = account;
  const committed = probe.of(name).findLast(({ at }) => at < pausedAt + UNDER_WAY_MS);
  const sentAt = sends.get(committed?.renewTime ?? NaN);
  if (sentAt === undefined) throw new Error(`${name}: its last committed write is not known`);
  const end = sentAt + options.leaseDurationMs;
  const excessMs = Math.max(latenessMs - ALLOWED_LATENESS_MS, 0);
  return { beliefMs: trueAt && end - trueAt, signalMs: end - (abortedAt ?? NaN), excessMs };
}

function checkMargins({ cluster }: TestBed, { options, fatalMs }: Timings, all: Spare[]): void {
  const beliefs = all.flatMap(({ beliefMs }) => (beliefMs === null ? [] : [beliefMs]));
  // Asking aborts the signal too: only where nobody asked it shows what the timer does.
  const unasked = all.filter(({ beliefMs }) => beliefMs === null);
  const signals = unasked.map(({ signalMs }) => signalMs);
  const excess = Math.max(...unasked.map(({ excessMs }) => excessMs));
  const [belief, signal] = [Math.min(...beliefs), Math.min(...signals)];
  const figures = `isHeld() last true ${ms(belief)}, signal aborted ${ms(signal)}`;
  print('outage', cluster, `frozen ${ms(fatalMs)}: ${figures} before the end of the lease`);
  if (excess > 0) print('outage', cluster, `timers of the holders came ${ms(excess)} too late`);
  expect(belief).toBeGreaterThanOrEqual(options.marginMs);
  expect(signal).toBeGreaterThanOrEqual(options.marginMs - excess);
}

function freezerOf({ cluster, plane }: TestBed & { readonly plane?: ControlPlane }): Freezer {
  const server = plane ?? cluster.embedded;
  if (server === undefined) throw new Error('only a server of our own can be frozen');
  return { pause: () => server.pause(), resume: () => server.resume() };
}

/** Declares the tests. */
/** On the embedded server, which is frozen as a real one is. */
function embeddedOutageStories(): void {
  const embedded = isFull ? BY_DEFAULT : SHORT;
  testOnEmbedded('Outages that no lock is lost by', LIMIT_MS, async (of) => {
    await survive(of, freezerOf(of), embedded);
  });

  testOnEmbedded('Outage that ends belief while the lease still runs', LIMIT_MS, async (of) => {
    await giveUp(of, freezerOf(of), embedded);
  });
}

/** On a real control plane, with the timings by default: these take a minute. */
function realOutageStories(): void {
  testOnControlPlane('Outage that ends belief while the lease still runs', LIMIT_MS, async (of) => {
    await giveUp(of, freezerOf(of), BY_DEFAULT);
  });

  testOnControlPlane('Outages that no lock is lost by', LIMIT_MS, async (of) => {
    const holders = await survive(of, freezerOf(of), BY_DEFAULT);
    const killedAt = now();
    await of.plane.restart();
    const downMs = now() - killedAt;
    await sleep(2 * BY_DEFAULT.options.renewIntervalMs);
    expect(await holders.lost()).toEqual([]);
    const figures = `${ms(downMs)} until ready again, ${holders.size} locks kept`;
    print('outage', of.cluster, `killed and started anew: ${figures}`);
  });
}

embeddedOutageStories();
realOutageStories();
