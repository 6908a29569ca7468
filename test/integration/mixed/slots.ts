// The candidates of a mixed run: processes that are ended and started again, paused, and made to resign.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CandidateCalls } from '../../../tools/harness/processes/candidate.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import type { HistoryLine } from '../../../tools/harness/processes/history-log.js';
import { ClientGoCandidate } from '../../../tools/harness/client-go/candidate.js';
import type { ClientGoSettings } from '../../../tools/harness/client-go/candidate.js';
import type { ClientGoBed } from '../test-bed.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { Candidate, Stretch, Version } from './election-history.js';
import { readOurs, readTheirs } from './read-logs.js';

export interface MixedRun {
  readonly of: ClientGoBed;
  readonly lease: string;
  readonly folder: string;
  /** Options of ours. */
  readonly ours: object;
  readonly theirs: Pick<ClientGoSettings, 'duration' | 'deadline' | 'retry'>;
  /** How long one who resigned stays out. */
  readonly cooldownMs: number;
}

/** One process, from its start to its end. */
interface Incarnation {
  readonly identity: string;
  readonly pid: number;
  readonly exited: Promise<unknown>;
  resign(): void;
  kill(): Promise<unknown>;
  /** What it wrote down; once it has ended. */
  read(
    stops: readonly Stretch[],
    endedAt: number,
    versions: readonly Version[],
  ): Promise<Candidate>;
}

interface Past {
  readonly who: Incarnation;
  readonly stops: Stretch[];
  readonly endedAt: number;
}

/** A place among the candidates, taken by one process after the other. */
export class Slot {
  readonly #name: string;
  readonly #start: (identity: string) => Promise<Incarnation>;
  readonly #past: Past[] = [];
  readonly #lost: string[] = [];
  #who: Incarnation | undefined;
  #stops: Stretch[] = [];
  #isBusy = false;

  constructor(
    name: string,
    readonly isOurs: boolean,
    start: (identity: string) => Promise<Incarnation>,
  ) {
    this.#name = name;
    this.#start = start;
  }

  get identity(): string | undefined {
    return this.#who?.identity;
  }

  /** Something is being done to it. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  async enter(): Promise<void> {
    const who = await this.#start(`${this.#name}-${this.#past.length + 1}`);
    void who.exited.then(() => {
      if (this.#who === who) this.#lost.push(`${who.identity} ended by itself`);
    });
    this.#who = who;
    this.#stops = [];
  }

  resign(): void {
    this.#who?.resign();
  }

  async killAndReplace(pauseMs: number): Promise<void> {
    await this.#during(async () => {
      await this.leave();
      await sleep(pauseMs);
      await this.enter();
    });
  }

  /** Stops it for a while; on its return it may find that it was asked to resign. */
  async pause(ms: number, resigns: boolean): Promise<void> {
    await this.#during(async () => {
      const { pid } = this.#who ?? {};
      if (pid === undefined) return;
      process.kill(pid, 'SIGSTOP');
      const from = now();
      if (resigns) this.resign();
      await sleep(ms);
      this.#stops.push({ from, to: now() });
      process.kill(pid, 'SIGCONT');
    });
  }

  async leave(): Promise<void> {
    const who = this.#who;
    if (who === undefined) return;
    this.#who = undefined;
    const endedAt = now();
    await who.kill();
    this.#past.push({ who, stops: this.#stops, endedAt });
  }

  /** All who had this slot. Rejects when one of them ended by itself. */
  async accounts(versions: readonly Version[]): Promise<Candidate[]> {
    if (this.#lost.length > 0) throw new Error(this.#lost.join('; '));
    return Promise.all(
      this.#past.map(({ who, stops, endedAt }) => who.read(stops, endedAt, versions)),
    );
  }

  async #during(action: () => Promise<void>): Promise<void> {
    this.#isBusy = true;
    await action().finally(() => (this.#isBusy = false));
  }
}

export async function startOurs(run: MixedRun, identity: string): Promise<Incarnation> {
  const { of, lease: name, ours: options, cooldownMs } = run;
  const log = join(run.folder, `${identity}.jsonl`);
  const settings = { name, identity, options, log };
  const worker: Worker<CandidateCalls> = await of.pool.spawn('candidate', of.cluster, settings);
  await worker.call('start', undefined);
  return {
    ...{ identity, pid: worker.pid, exited: worker.exited },
    resign: () => void worker.call('stepDown', cooldownMs).catch(() => undefined),
    kill: () => worker.kill(),
    read: async (stops, _endedAt, versions) => {
      const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '');
      const told = lines.map((line) => JSON.parse(line) as HistoryLine);
      return readOurs(identity, told, stops, versions);
    },
  };
}

export async function startTheirs(run: MixedRun, identity: string): Promise<Incarnation> {
  const { of, lease, theirs, cooldownMs } = run;
  const settings = { ...theirs, lease, identity, pause: `${cooldownMs}ms` };
  const rival = await ClientGoCandidate.start(of.pool, of.program, of.cluster, settings);
  return {
    ...{ identity, pid: rival.pid, exited: rival.exited },
    resign: () => rival.askToResign(),
    kill: () => rival.kill(),
    read: (stops, endedAt) => Promise.resolve(readTheirs(identity, rival.lines, stops, endedAt)),
  };
}
