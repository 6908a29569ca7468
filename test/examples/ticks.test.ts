// Once per tick: leaders that hand over, lose their lease and come late in the middle of ticks. Elections and database
// are real, the API server is embedded. No lease runs out here: leases are as long as they are by default, so that a
// slow machine loses none.
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Election } from '@metaparticle/sync';
import type { Leading } from '@metaparticle/sync';
import { createTables, openEmbedded } from '../../examples/postgres/database.js';
import type { Database } from '../../examples/postgres/database.js';
import { postgresTicks } from '../../examples/once-per-tick/store.js';
import { StaleTokenError, runTicks } from '../../examples/once-per-tick/ticks.js';
import type { Schedule, Tick, TickStore } from '../../examples/once-per-tick/ticks.js';
import { rejection, sleep, until } from '../support/promises.js';
import { SocketCluster } from '../support/cluster.js';

jest.setTimeout(120_000);

const SCHEMA = new URL('../../examples/once-per-tick/schema.sql', import.meta.url);
const EVERY_MS = 60;
/** A wait that does not end is a failure; nothing is judged by it. */
const STUCK_MS = 60_000;

let database: Database;
let cluster: SocketCluster;

beforeAll(async () => {
  database = await openEmbedded();
  await createTables(database, SCHEMA);
});

afterAll(() => database.end());

beforeEach(async () => {
  await database.query('DELETE FROM tick');
  cluster = await SocketCluster.start();
});

afterEach(() => cluster[Symbol.asyncDispose]());

async function stored(): Promise<unknown> {
  const sql = 'SELECT fence::text, started::float8, finished::float8 FROM tick';
  return (await database.query(sql)).rows[0];
}

/** What a tick came to, in the order of their ends. */
interface Run {
  readonly pod: string;
  readonly tick: number;
  readonly token: bigint;
  readonly end: 'done' | 'cut off';
}

/** Several pods that run the job. */
class Pods {
  readonly begun: Omit<Run, 'end'>[] = [];
  readonly runs: Run[] = [];
  readonly refused: string[] = [];
  readonly elections = new Map<string, Election>();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>[] = [];

  constructor(
    names: readonly string[],
    schedule: Omit<Schedule, 'everyMs'>,
    job: (tick: Tick, pod: string) => Promise<void>,
  ) {
    for (const pod of names) {
      const run = async (tick: Tick): Promise<void> => {
        const begun = { pod, tick: tick.tick, token: tick.fencingToken };
        this.begun.push(begun);
        await job(tick, pod).catch((error: unknown) => {
          this.runs.push({ ...begun, end: 'cut off' });
          throw error;
        });
        this.runs.push({ ...begun, end: 'done' });
      };
      const store = this.#telling(pod, postgresTicks(database, 'job'));
      const election = new Election('ticks', {
        client: cluster.client({ identity: pod }),
        onStartedLeading: (leading: Leading) => {
          return runTicks(run, store, { everyMs: EVERY_MS, ...schedule }, leading);
        },
      });
      this.elections.set(pod, election);
      this.#ended.push(election.run({ signal: this.#stop.signal }));
    }
  }

  get leader(): Election | undefined {
    return [...this.elections.values()].find((election) => election.isLeader());
  }

  get done(): number[] {
    return this.runs.filter(({ end }) => end === 'done').map(({ tick }) => tick);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#ended);
  }

  #telling(pod: string, store: TickStore): TickStore {
    const noting = async <T>(step: string, result: Promise<T>): Promise<T> => {
      return result.catch((error: unknown) => {
        if (error instanceof StaleTokenError) this.refused.push(`${pod} ${step}`);
        throw error;
      });
    };
    return {
      begin: (...given) => noting('begin', store.begin(...given)),
      start: (...given) => noting('start', store.start(...given)),
      finish: (...given) => noting('finish', store.finish(...given)),
    };
  }
}

/** Ends the term as an operator does who takes the lease away: the holder hears of it, and the next wins. */
function depose(): void {
  cluster.api.leases.edit('default', 'ticks', ({ spec }) => (spec.holderIdentity = ''));
}

function sequence(ticks: readonly number[]): number[] {
  return ticks.map((_, index) => (ticks[0] ?? 0) + index);
}

const moment = async ({ signal }: Tick): Promise<void> => {
  await sleep(EVERY_MS / 2);
  signal.throwIfAborted();
};

describe('hand-overs in the middle of ticks', () => {
  it.each(['skip', 'repeat'] as const)(
    'lose no tick and repeat none, whatever is done with interrupted ones: %s',
    async (interrupted) => {
      const pods = new Pods(['a', 'b', 'c'], { interrupted, missed: 'run' }, moment);
      for (let term = 1; term <= 4; term++) {
        const before = pods.begun.length;
        await until('two ticks more', () => pods.begun.length > before + 1, STUCK_MS);
        await pods.leader?.stepDown({ cooldownMs: 100 });
      }
      await pods.stop();
      expect(pods.done).toEqual(sequence(pods.done));
      expect(pods.runs).toHaveLength(pods.done.length);
      expect(new Set(pods.runs.map(({ token }) => token)).size).toBeGreaterThanOrEqual(4);
      expect(await stored()).toMatchObject({
        started: pods.done.at(-1),
        finished: pods.done.at(-1),
      });
    },
  );
});

describe('a leader that is cut off in the middle of a tick', () => {
  /** Deposes three leaders, each within a tick, and says what ran and which ticks were cut off. */
  async function cutOff(interrupted: Schedule['interrupted']): Promise<[Pods, number[]]> {
    const cut: number[] = [];
    const job = async ({ tick, signal }: Tick): Promise<void> => {
      if (cut.length === 3 || pods.begun.length % 3 !== 0) return;
      cut.push(tick);
      depose();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      signal.throwIfAborted();
    };
    const pods = new Pods(['a', 'b'], { interrupted, missed: 'run' }, job);
    const isAfter = (): boolean => cut.length === 3 && (pods.done.at(-1) ?? 0) > (cut[2] ?? 0);
    await until('a tick after the last', isAfter, STUCK_MS);
    await pods.stop();
    expect(pods.runs.filter(({ end }) => end === 'cut off').map(({ tick }) => tick)).toEqual(cut);
    return [pods, cut];
  }

  it('at most once: that tick is never run again, and no other is lost', async () => {
    const [pods, cut] = await cutOff('skip');
    const ticks = pods.begun.map(({ tick }) => tick);
    expect(ticks).toEqual(sequence(ticks));
    expect(pods.done).toEqual(ticks.filter((tick) => !cut.includes(tick)));
  });

  it('at least once: that tick is run again, first of all, and no other is', async () => {
    const [pods, cut] = await cutOff('repeat');
    expect(pods.done).toEqual(sequence(pods.done));
    const twice = pods.begun.filter(({ tick }, index) => pods.begun[index - 1]?.tick === tick);
    expect(twice.map(({ tick }) => tick)).toEqual(cut);
  });
});

describe('a former leader that is late', () => {
  it('has its write refused, and ends quietly', async () => {
    let wake = (): void => undefined;
    const pause = new Promise<void>((resolve) => (wake = resolve));
    const late: Tick[] = [];
    // The first to come is paused within its third tick, deaf to the signal.
    const pods = new Pods(['a', 'b'], { interrupted: 'repeat', missed: 'run' }, async (tick) => {
      if (late.length === 0 && pods.begun.length === 3) {
        late.push(tick);
        await pause;
      }
    });
    await until('a pause', () => late.length === 1, STUCK_MS);
    depose();
    const { length } = pods.begun;
    await until('ticks of the next leader', () => pods.begun.length > length + 2, STUCK_MS);
    const [paused] = late;
    const former = pods.begun.find(({ tick }) => tick === paused?.tick)?.pod ?? '';
    wake();
    await until('the late end', () => pods.refused.length > 0, STUCK_MS);
    await pods.stop();
    expect(pods.refused).toEqual([`${former} finish`]);
    const others = pods.runs.filter(({ token }) => token !== paused?.fencingToken);
    const ticks = others.map(({ tick }) => tick);
    // It was run again by the next leader, who went on from there without a gap.
    expect(ticks).toEqual(sequence(ticks));
    expect(ticks[0]).toBe(paused?.tick);
    expect(await stored()).toMatchObject({
      finished: ticks.at(-1),
      fence: String(others[0]?.token),
    });
  });

  it('can neither begin, nor start a tick, nor finish one', async () => {
    const store = postgresTicks(database, 'job');
    await store.begin(10n, 100);
    await store.start(10n, 101);
    expect(await store.begin(20n, 500)).toEqual({ started: 101, finished: 100 });
    expect(await rejection(store.begin(10n, 0))).toBeInstanceOf(StaleTokenError);
    expect(await rejection(store.start(10n, 102))).toBeInstanceOf(StaleTokenError);
    expect(await rejection(store.finish(10n, 101))).toBeInstanceOf(StaleTokenError);
    expect(await stored()).toEqual({ fence: '20', started: 101, finished: 100 });
  });

  it('starts no tick twice, not even in one term', async () => {
    const store = postgresTicks(database, 'job');
    await store.begin(10n, 100);
    await store.start(10n, 101);
    expect(await rejection(store.start(10n, 101))).toBeInstanceOf(StaleTokenError);
  });
});

describe('ticks that no leader ran', () => {
  /** One term over a store that is three ticks behind. */
  async function behind(missed: Schedule['missed']): Promise<[number, number[]]> {
    const everyMs = 60_000;
    const now = Math.floor(Date.now() / everyMs);
    const store = postgresTicks(database, 'job');
    await store.begin(1n, now - 3);
    const stop = new AbortController();
    const leading = { signal: stop.signal, lostSignal: new AbortController().signal };
    const ran: number[] = [];
    const job = ({ tick }: Tick): Promise<void> => {
      if (ran.push(tick) > 10 || tick >= now) stop.abort();
      return Promise.resolve();
    };
    const schedule = { everyMs, interrupted: 'skip', missed } as const;
    await runTicks(job, store, schedule, { ...leading, fencingToken: 2n });
    return [now, ran];
  }

  it('are made up for in order', async () => {
    const [now, ran] = await behind('run');
    expect(ran.slice(0, 3)).toEqual([now - 2, now - 1, now]);
  });

  it('or left out but for the newest', async () => {
    const [now, ran] = await behind('skip');
    expect(ran).toHaveLength(1);
    expect(ran[0]).toBeGreaterThanOrEqual(now);
  });

  it('a job that fails ends the term with its error, and its tick counts as interrupted', async () => {
    const store = postgresTicks(database, 'job');
    await store.begin(1n, 100);
    const { signal } = new AbortController();
    const job = (): Promise<void> => Promise.reject(new Error('no paper'));
    const schedule = { everyMs: EVERY_MS, interrupted: 'repeat', missed: 'skip' } as const;
    const leading = { signal, lostSignal: signal, fencingToken: 2n };
    const error = await rejection(runTicks(job, store, schedule, leading));
    expect(error).toMatchObject({ message: 'no paper' });
    const { started, finished } = (await stored()) as Record<string, number>;
    expect([started! > 100, finished]).toEqual([true, 100]);
  });
});
