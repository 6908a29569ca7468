import type { Outcome } from './world.js';

/** What many runs came to. */
export class Tally {
  readonly counts: Record<string, number> = {};
  seeds = 0;
  events = 0;
  virtualMs = 0;
  overlaps = 0;

  add({ counts, events, virtualMs, overlaps }: Outcome): void {
    this.seeds += 1;
    this.events += events;
    this.virtualMs += virtualMs;
    this.overlaps += overlaps;
    for (const [what, times] of counts) this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  lines(seconds: number): string[] {
    const hours = this.virtualMs / 3_600_000;
    return [
      `${whole(this.seeds)} seeds in ${seconds.toFixed(1)} s: ${whole(this.seeds / seconds)} per second`,
      `${hours.toFixed(1)} hours of virtual time, ${whole(this.events)} events`,
      ...Object.entries(this.counts)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([what, times]) => `  ${what.padEnd(34)} ${whole(times).padStart(11)}`),
    ];
  }
}

function whole(n: number): string {
  return Math.round(n).toLocaleString('en');
}
