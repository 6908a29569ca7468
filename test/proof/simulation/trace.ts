import type { Plan } from './plan.js';

const LINE_LIMIT = 50;

/** What is left of a plan that was made smaller. */
export function titleOf(smallest: Plan, { items }: Plan): string[] {
  const { seed, timings, processes, locks } = smallest;
  const { leaseDurationMs, renewIntervalMs, marginMs } = timings;
  return [
    `seed ${seed}, ${smallest.items.length} of ${items.length} things done: lease ${leaseDurationMs} ms, ` +
      `renewed every ${renewIntervalMs} ms, margin ${marginMs} ms, ` +
      `locks ${locks.join(' ')}`,
    ...processes.map(({ name, kind, rate, unseenMs }) => {
      const unseen = unseenMs === 0 ? '' : `, misses ${unseenMs} ms of suspensions`;
      return `${name}: ${kind}, clock rate ${rate.toFixed(4)}${unseen}`;
    }),
  ];
}

/** The end of a trace says most; its beginning, how it came to that. */
export function shortened(trace: readonly string[]): readonly string[] {
  if (trace.length <= LINE_LIMIT) return trace;
  const [head, tail] = [8, LINE_LIMIT - 9];
  const left = trace.length - head - tail;
  return [...trace.slice(0, head), `      … ${left} lines …`, ...trace.slice(-tail)];
}
