import type { Plan } from './plan.js';

const MOST_LINES = 50;

/** What is left of a plan that was made smaller. */
export function titleOf(smallest: Plan, { items }: Plan): string[] {
  const { seed, timings, processes, locks } = smallest;
  const { leaseDurationMs, renewIntervalMs, marginMs } = timings;
  return [
    `seed ${seed}, ${smallest.items.length} of ${items.length} things done: lease ${leaseDurationMs} ms, ` +
      `renewed every ${renewIntervalMs} ms, margin ${marginMs} ms, ` +
      `locks ${locks.join(' ')}`,
    ...processes.map(({ name, kind, rate }) => `${name}: ${kind}, clock rate ${rate.toFixed(4)}`),
  ];
}

/** The end of a story says most; its beginning, how it came to that. */
export function shortened(story: readonly string[]): readonly string[] {
  if (story.length <= MOST_LINES) return story;
  const [head, tail] = [8, MOST_LINES - 9];
  const left = story.length - head - tail;
  return [...story.slice(0, head), `      … ${left} lines …`, ...story.slice(-tail)];
}
