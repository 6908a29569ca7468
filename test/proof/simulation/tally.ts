import type { Outcome } from './cluster.js';

/** What many runs came to, as plain data. */
export interface Figures {
  readonly seeds: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly overlaps: number;
  /** Of all that happened in all runs, in whatever order they ran. */
  readonly hash: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The longest that each process waited for its turn, in milliseconds. */
  readonly waits: Readonly<Record<string, number>>;
}

/** Adds up what many runs came to. */
export class Tally {
  readonly #counts: Record<string, number> = {};
  readonly #waits: Record<string, number> = {};
  #seeds = 0;
  #events = 0;
  #virtualMs = 0;
  #overlaps = 0;
  #hash = 0;

  get figures(): Figures {
    return {
      ...{ seeds: this.#seeds, events: this.#events, virtualMs: this.#virtualMs },
      ...{ overlaps: this.#overlaps, hash: this.#hash, counts: this.#counts },
      waits: this.#waits,
    };
  }

  add(outcome: Outcome): void {
    const { counts, waits } = outcome;
    this.merge({
      ...outcome,
      seeds: 1,
      counts: Object.fromEntries(counts),
      waits: Object.fromEntries(waits),
    });
  }

  merge({ seeds, events, virtualMs, overlaps, hash, counts, waits }: Figures): void {
    this.#seeds += seeds;
    this.#events += events;
    this.#virtualMs += virtualMs;
    this.#overlaps += overlaps;
    this.#hash = (this.#hash + hash) >>> 0;
    for (const [what, times] of Object.entries(counts)) {
      this.#counts[what] = (this.#counts[what] ?? 0) + times;
    }
    for (const [process, ms] of Object.entries(waits)) {
      this.#waits[process] = Math.max(this.#waits[process] ?? 0, ms);
    }
  }

  lines(seconds: number): string[] {
    const hours = this.#virtualMs / 3_600_000;
    const perSecond = (this.#seeds / seconds).toFixed(1);
    return [
      `${whole(this.#seeds)} seeds in ${seconds.toFixed(1)} s: ${perSecond} per second`,
      `${hours.toFixed(1)} hours of virtual time, ${whole(this.#events)} events`,
      ...Object.entries(this.#counts)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([what, times]) => `  ${what.padEnd(34)} ${whole(times).padStart(11)}`),
      ...Object.entries(this.#waits).map(
        ([process, ms]) =>
          `  ${`longest wait of ${process}, ms`.padEnd(34)} ${whole(ms).padStart(11)}`,
      ),
    ];
  }
}

function whole(n: number): string {
  return Math.round(n).toLocaleString('en');
}
