// Once per tick: leaders that hand over, die and come late in the middle of ticks. Elections and database
// are real, the cluster is embedded.
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
import { SocketCluster, quick } from '../support/cluster.js';

jest.setTimeout(60_000);

const SCHEMA = new URL('../../examples/once-per-tick/schema.sql', import.meta.url);
const EVERY_MS = 60;

let database: Database;
let world: SocketCluster;

beforeAll(async () => {
  database = await openEmbedded();
  await createTables(database, SCHEMA);
});

afterAll(() => database.end());

beforeEach(async () => {
  await database.query('DELETE FROM tick');
  world = await SocketCluster.start();
});

afterEach(() => world[Symbol.asyncDispose]());

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
class Crew {
  readonly begun: Omit<Run, 'end'>[] = [];
  readonly runs: Run[] = [];
  readonly refused: string[] = [];
  readonly elections = new Map<string, Election>();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>[] = [];

  constructor(
    pods: readonly string[],
    schedule: Omit<Schedule, 'everyMs'>,
    job: (tick: Tick, pod: string) => Promise<void>,
  ) {
    for (const pod of pods) {
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
        client: world.client({ identity: pod }),
        ...quick,
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
    const tell = async <T>(step: string, result: Promise<T>): Promise<T> => {
      return result.catch((error: unknown) => {
        if (error instanceof StaleTokenError) this.refused.push(`${pod} ${step}`);
        throw error;
      });
    };
    return {
      begin: (...given) => tell('begin', store.begin(...given)),
      start: (...given) => tell('start', store.start(...given)),
      finish: (...given) => tell('finish', store.finish(...given)),
    };
  }
}

/** Ends the term as an operator does who takes the lease away: the holder hears of it, and the next wins. */
function depose(): void {
  world.api.leases.edit('default', 'ticks', ({ spec }) => (spec.holderIdentity = ''));
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
      const crew = new Crew(['a', 'b', 'c'], { interrupted, missed: 'run' }, moment);
      for (let term = 1; term <= 4; term++) {
        const before = crew.begun.length;
        await until('two ticks more', () => crew.begun.length > before + 1, 20_000);
        await crew.leader?.stepDown({ cooldownMs: 100 });
      }
      await crew.stop();
      expect(crew.done).toEqual(sequence(crew.done));
      expect(crew.runs).toHaveLength(crew.done.length);
      expect(new Set(crew.runs.map(({ token }) => token)).size).toBeGreaterThanOrEqual(4);
      expect(await stored()).toMatchObject({
        started: crew.done.at(-1),
        finished: crew.done.at(-1),
      });
    },
  );
});

describe('a leader that is cut off in the middle of a tick', () => {
  /** Deposes three leaders, each within a tick, and says what ran and which ticks were cut off. */
  async function cutOff(interrupted: Schedule['interrupted']): Promise<[Crew, number[]]> {
    const cut: number[] = [];
    const job = async ({ tick, signal }: Tick): Promise<void> => {
      if (cut.length === 3 || crew.begun.length % 3 !== 0) return;
      cut.push(tick);
      depose();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      signal.throwIfAborted();
    };
    const crew = new Crew(['a', 'b'], { interrupted, missed: 'run' }, job);
    const isAfter = (): boolean => cut.length === 3 && (crew.done.at(-1) ?? 0) > (cut[2] ?? 0);
    await until('a tick after the last', isAfter, 20_000);
    await crew.stop();
    expect(crew.runs.filter(({ end }) => end === 'cut off').map(({ tick }) => tick)).toEqual(cut);
    return [crew, cut];
  }

  it('at most once: that tick is never run again, and no other is lost', async () => {
    const [crew, cut] = await cutOff('skip');
    const ticks = crew.begun.map(({ tick }) => tick);
    expect(ticks).toEqual(sequence(ticks));
    expect(crew.done).toEqual(ticks.filter((tick) => !cut.includes(tick)));
  });

  it('at least once: that tick is run again, first of all, and no other is', async () => {
    const [crew, cut] = await cutOff('repeat');
    expect(crew.done).toEqual(sequence(crew.done));
    const twice = crew.begun.filter(({ tick }, index) => crew.begun[index - 1]?.tick === tick);
    expect(twice.map(({ tick }) => tick)).toEqual(cut);
  });
});

describe('a former leader that is late', () => {
  it('has its write refused, and ends quietly', async () => {
    let wake = (): void => undefined;
    const pause = new Promise<void>((resolve) => (wake = resolve));
    const late: Tick[] = [];
    // The first to come is paused within its third tick, deaf to the signal.
    const crew = new Crew(['a', 'b'], { interrupted: 'repeat', missed: 'run' }, async (tick) => {
      if (late.length === 0 && crew.begun.length === 3) {
        late.push(tick);
        await pause;
      }
    });
    await until('a pause', () => late.length === 1, 20_000);
    depose();
    const { length } = crew.begun;
    await until('ticks of the next leader', () => crew.begun.length > length + 2, 20_000);
    const [paused] = late;
    const former = crew.begun.find(({ tick }) => tick === paused?.tick)?.pod ?? '';
    wake();
    await until('the late end', () => crew.refused.length > 0);
    await crew.stop();
    expect(crew.refused).toEqual([`${former} finish`]);
    const others = crew.runs.filter(({ token }) => token !== paused?.fencingToken);
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

describe('ticks that nobody ran', () => {
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
