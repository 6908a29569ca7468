// Bounds of time on real clocks. A process of its own witnesses how this machine does; a bound that was exceeded while
// the machine stalled is void: it says nothing about the package. It is printed and counted, and never passes in silence.
import type { Cluster } from './cluster.js';
import type { Worker, WorkerPool } from './processes/pool.js';
import type { Stall, WitnessCalls, WitnessSettings } from './processes/witness.js';

/** Something that took from one time to another, both of `now()`, and should have taken `limitMs` at most. */
export interface Bound {
  readonly what: string;
  readonly from: number;
  readonly until: number;
  readonly limitMs: number;
}

export type BoundVerdict = 'held' | 'void' | 'broken';

/**
 * One stall costs more than its own time: a request that ran into its time-out is sent again a second later. An excess
 * of more than so many times what the machine stood still has another reason.
 */
const COST_OF_A_STALL = 10;
/** Stalls right before count as well: what was late then makes late what follows. */
const BEFORE_MS = 1_000;

/** @param stalledMs how long the machine stood still while it took that long */
export function verdictOf({ from, until, limitMs }: Bound, stalledMs: number): BoundVerdict {
  const excessMs = until - from - limitMs;
  if (excessMs <= 0) return 'held';
  return excessMs <= COST_OF_A_STALL * stalledMs ? 'void' : 'broken';
}

/** How long the machine stood still between two times: stalls that overlap count once. */
export function stalledMs(stalls: readonly Stall[], from: number, until: number): number {
  let [total, reached] = [0, from];
  for (const stall of [...stalls].sort((a, b) => a.from - b.from)) {
    const end = Math.min(stall.until, until);
    total += Math.max(0, end - Math.max(stall.from, reached));
    reached = Math.max(reached, end);
  }
  return total;
}

/** Witnesses this machine while tests run. Close it: then it tells how many bounds held and how many were void. */
export class Witness {
  readonly #worker: Worker<WitnessCalls>;
  #held = 0;
  #void = 0;

  private constructor(worker: Worker<WitnessCalls>) {
    this.#worker = worker;
  }

  /**
   * @param pool ends the process
   * @param puts whether it looks at raw PUTs to the API server, too: not where a test freezes it
   */
  static async start(
    pool: WorkerPool,
    cluster: Pick<Cluster, 'kubeConfigFile' | 'leases'>,
    { puts = true } = {},
  ): Promise<Witness> {
    const settings: WitnessSettings = puts ? { leases: cluster.leases } : {};
    return new Witness(await pool.spawn<WitnessCalls>('witness', cluster, settings));
  }

  /** Of its process. */
  get pid(): number {
    return this.#worker.pid;
  }

  /** For how long the machine stood still, from shortly before the first time to the other. */
  async stalledMs(from: number, until: number): Promise<number> {
    const since = from - BEFORE_MS;
    const stalls = await this.#worker.call('stalls', { from: since, until });
    return stalledMs(stalls, since, until);
  }

  /** Every stall between two times. */
  stalls(from: number, until: number): Promise<readonly Stall[]> {
    return this.#worker.call('stalls', { from, until });
  }

  /** Throws when it took too long, unless the machine stalled: then the bound is void, which is printed and counted. */
  async boundedBy(bound: Bound): Promise<void> {
    const stalled = await this.stalledMs(bound.from, bound.until);
    const took = `${bound.what} took ${ms(bound.until - bound.from)}, at most ${ms(bound.limitMs)} expected`;
    switch (verdictOf(bound, stalled)) {
      case 'held':
        this.#held += 1;
        return;
      case 'void':
        this.annul(`${took}; the machine stalled for ${ms(stalled)}`);
        return;
      default:
        throw new Error(`${took}, and the machine stalled for ${ms(stalled)} only`);
    }
  }

  /** Starts one that looks at no API server. */
  static async ofMachine(pool: WorkerPool): Promise<Witness> {
    return Witness.start(pool, { kubeConfigFile: '', leases: '' }, { puts: false });
  }

  /** Counts a bound as held that was judged elsewhere. */
  hold(): void {
    this.#held += 1;
  }

  /** Prints and counts a bound as void that was judged elsewhere. */
  annul(why: string): void {
    this.#void += 1;
    process.stderr.write(`bound void: ${why}\n`);
  }

  /** Prints the totals. Its process ends with the pool. */
  close(): void {
    if (this.#held + this.#void === 0) return;
    process.stderr.write(`bounds: ${this.#held} held, ${this.#void} void: the machine stalled\n`);
  }
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
