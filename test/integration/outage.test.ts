import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusters, describeControlPlane, openReal } from './cluster.js';
import type { Cluster } from './cluster.js';
import { Crew } from './workers/crew.js';
import type { Worker } from './workers/crew.js';
import { isFull, ms, print } from './workers/figures.js';
import type { Account, HolderCalls } from './workers/holder.js';
import { Observer } from './workers/observer.js';
import { now } from './workers/time.js';

/** An API server that can be frozen: connections stay open, nothing answers. */
interface Freezer {
  readonly cluster: () => Cluster;
  readonly pause: () => void;
  readonly resume: () => void;
}

interface Timings {
  readonly leaseDurationMs: number;
  readonly renewIntervalMs: number;
  readonly marginMs: number;
  /** An outage that no lock is lost by. */
  readonly survivedMs: number;
  /** An outage that every lock is lost by. */
  readonly fatalMs: number;
}

const BY_DEFAULT: Timings = {
  ...{ leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 },
  ...{ survivedMs: 10_000, fatalMs: 20_000 },
};
/** For the embedded server, which any number of seconds is the same to. */
const SHORT: Timings = {
  ...{ leaseDurationMs: 6_000, renewIntervalMs: 1_000, marginMs: 2_000 },
  ...{ survivedMs: 2_000, fatalMs: 7_000 },
};
const SURVIVED_TIMES = isFull ? 5 : 1;
/** A timer fires as soon as the machine has time for it; `isHeld()` needs none. */
const TIMER_LATENESS_MS = 150;
const LIMIT_MS = 240_000;

/** One process is asked all the time whether it holds its locks, the other one never. */
class Holders {
  readonly #crew: Crew;
  readonly #members: { worker: Worker<HolderCalls>; asked: boolean; names: string[] }[] = [];

  constructor(crew: Crew) {
    this.#crew = crew;
  }

  get names(): string[] {
    return this.#members.flatMap(({ names }) => names);
  }

  async acquire(cluster: Cluster, options: object, asked: boolean, names: string[]): Promise<void> {
    const worker = await this.#crew.start<HolderCalls>('holder', cluster, { options, asks: asked });
    await Promise.all(names.map((name) => worker.call('acquire', name, 60_000)));
    this.#members.push({ worker, asked, names });
  }

  async accounts(): Promise<(Account & { name: string; asked: boolean })[]> {
    const each = this.#members.flatMap(({ worker, asked, names }) =>
      names.map(async (name) => ({ name, asked, ...(await worker.call('account', name)) })),
    );
    return Promise.all(each);
  }

  async release(): Promise<void> {
    const each = this.#members.flatMap(({ worker, names }) =>
      names.map((name) => worker.call('release', name)),
    );
    await Promise.all(each);
    await Promise.all(this.#members.map(({ worker }) => worker.kill()));
  }
}

/** When the last write left that the API server showed before this time, and the time it names. */
function lastSend(observer: Observer, { name, sends }: Account & { name: string }, until: number) {
  const committed = observer.of(name).findLast(({ at }) => at < until);
  const sentAt = committed && sends.get(committed.renewTime);
  if (sentAt === undefined) throw new Error(`${name}: the last committed write is not known`);
  return sentAt;
}

function outages(crew: Crew, { cluster, pause, resume }: Freezer, timings: Timings): void {
  const { survivedMs, fatalMs, leaseDurationMs, renewIntervalMs, marginMs } = timings;
  const options = { leaseDurationMs, renewIntervalMs, marginMs };
  const seconds = (value: number): string => `${value / 1000} s`;

  async function freeze(forMs: number): Promise<void> {
    pause();
    await sleep(forMs);
    resume();
  }

  async function hold(prefix: string): Promise<Holders> {
    const names = (count: number, who: string) =>
      Array.from({ length: count }, (_, n) => `${prefix}-${who}-${n}`);
    const holders = new Holders(crew);
    await holders.acquire(cluster(), options, true, names(5, 'asked'));
    await holders.acquire(cluster(), options, false, names(3, 'unasked'));
    // Somewhere between two renewals.
    await sleep((1 + Math.random()) * renewIntervalMs);
    return holders;
  }

  it(
    `frozen for ${seconds(survivedMs)}, ${SURVIVED_TIMES} times: no lock is lost`,
    async () => {
      const holders = await hold('survived');
      let survived = 0;
      for (let time = 0; time < SURVIVED_TIMES; time++) {
        await freeze(survivedMs);
        await sleep((1 + Math.random()) * renewIntervalMs);
        const lost = (await holders.accounts()).filter(({ reason, isHeld }) => reason || !isHeld);
        if (lost.length === 0) survived++;
        expect(lost).toEqual([]);
      }
      const figures = `${holders.names.length} locks kept in ${survived} of ${SURVIVED_TIMES}`;
      print('outage', cluster(), `${seconds(survivedMs)}: ${figures}`);
      await holders.release();
    },
    LIMIT_MS,
  );

  it(
    `frozen for ${seconds(fatalMs)}: belief ends ${seconds(marginMs)} before others may take over`,
    async () => {
      const holders = await hold('fatal');
      const observer = await Observer.open(cluster());
      await sleep(2 * renewIntervalMs);
      const pausedAt = now();
      pause();
      await sleep(fatalMs - 500);
      const accounts = await holders.accounts();
      const resumedAt = now();
      resume();
      observer.close();
      const early = accounts.map((account) => {
        const sentAt = lastSend(observer, account, pausedAt + 100);
        const end = sentAt + leaseDurationMs;
        const { asked, reason, isHeld, trueAt, abortedAt } = account;
        return {
          asked,
          reason,
          isHeld,
          belief: end - (trueAt ?? sentAt),
          signal: end - (abortedAt ?? NaN),
        };
      });
      const [belief, signal] = [
        early.filter(({ asked }) => asked),
        early.filter(({ asked }) => !asked),
      ];
      const last = Math.min(...belief.map((one) => one.belief));
      const aborts = Math.min(...signal.map((one) => one.signal));
      const figures = `isHeld() was last true ${ms(last)}, signals aborted ${ms(aborts)} before the end of the lease`;
      print('outage', cluster(), `${seconds(fatalMs)}: ${figures}`);
      for (const one of early) expect(one).toMatchObject({ isHeld: false, reason: 'expired' });
      expect(last).toBeGreaterThanOrEqual(marginMs);
      expect(aborts).toBeGreaterThanOrEqual(marginMs - TIMER_LATENESS_MS);
      // It came from the clock alone, while the server was still frozen.
      for (const { abortedAt } of accounts) expect(abortedAt).toBeLessThan(resumedAt);

      const heirs = new Holders(crew);
      await heirs.acquire(cluster(), options, false, holders.names);
      const again = ms(now() - resumedAt);
      print('outage', cluster(), `${seconds(fatalMs)}: all held again ${again} after the end`);
      await heirs.release();
    },
    LIMIT_MS,
  );
}

describe('Outage, embedded server', () => {
  const crew = new Crew();
  let cluster: Cluster | undefined;
  const get = (): Cluster => {
    if (cluster === undefined) throw new Error('the server is there only while tests run');
    return cluster;
  };
  beforeAll(async () => {
    cluster = await clusters()[0]?.open();
  });
  afterAll(async () => {
    await crew.disband();
    await cluster?.close();
  });
  const pause = (): void => get().embedded?.pause();
  const resume = (): void => get().embedded?.resume();
  outages(crew, { cluster: get, pause, resume }, isFull ? BY_DEFAULT : SHORT);
});

describeControlPlane('Outage', (plane) => {
  const crew = new Crew();
  let cluster: Cluster | undefined;
  const get = (): Cluster => {
    if (cluster === undefined) throw new Error('the server is there only while tests run');
    return cluster;
  };
  beforeAll(async () => {
    cluster = await openReal(plane());
  });
  afterAll(async () => {
    plane().resume();
    await crew.disband();
    await cluster?.close();
  });
  const pause = (): void => plane().pause();
  const resume = (): void => plane().resume();
  outages(crew, { cluster: get, pause, resume }, BY_DEFAULT);

  it(
    'killed and started anew: no lock is lost',
    async () => {
      const holders = new Holders(crew);
      await holders.acquire(get(), {}, true, ['restarted-1', 'restarted-2']);
      await holders.acquire(get(), {}, false, ['restarted-3']);
      await sleep(3_000);
      const startedAt = now();
      await plane().restart();
      const downMs = now() - startedAt;
      await sleep(2 * BY_DEFAULT.renewIntervalMs);
      const accounts = await holders.accounts();
      print('outage', get(), `restarted: ${ms(downMs)} until ready, ${accounts.length} locks kept`);
      for (const one of accounts) expect(one).toMatchObject({ isHeld: true, reason: null });
      await holders.release();
    },
    LIMIT_MS,
  );
});
