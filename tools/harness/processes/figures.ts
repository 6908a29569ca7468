// The size of the measurements, and how their figures are told.
import type { Cluster } from '../cluster.js';

/** SYNC_TEST_FULL=1 takes minutes; the usual size is for every test run. */
export const isFull = process.env.SYNC_TEST_FULL === '1';

/** @param share from 0 to 1; the value that so many are not greater than */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** One line, past Jest's own account of where a line was written. */
export function print(what: string, { version }: Pick<Cluster, 'version'>, figures: string): void {
  process.stderr.write(`${what}, ${version}: ${figures}\n`);
}

export function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}
