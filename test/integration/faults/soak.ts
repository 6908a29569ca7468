// Real faults on real API servers, for as long as one likes: `main.ts --minutes N` goes through all of them again
// and again; without, each is injected once.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { now } from '../../../tools/harness/processes/time.js';
import type { Outcome } from './fault-checker.js';
import { DEFAULTS, asLongAs, eachOnce, runSchedule, faultSetOf } from './schedule.js';
import { FaultStats } from './stats.js';
import { FaultEnvironment } from './environment.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    /** Only faults with this, or one of these, in their name. */
    only: { type: 'string', multiple: true, default: [''] },
    groups: { type: 'string', default: '2' },
  },
});
const { minutes, only } = values;
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const startedAt = now();
const REPORT_EVERY_MS = 60_000;
const CLOSE_LIMIT_MS = 60_000;

const stats = new FaultStats();
const environment = await FaultEnvironment.open();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function print(outcome: Outcome): void {
  stats.add(outcome);
  const at = `${((now() - startedAt) / 60_000).toFixed(1)} min`;
  for (const what of outcome.violations) say(`${at} VIOLATION, ${outcome.fault}: ${what}`);
  const { losses, longestGapMs } = outcome;
  const verdict = outcome.violations.length === 0 ? 'survived' : 'FAILED';
  say(`${at} ${verdict}: ${outcome.fault} (${losses} lost, gap ${longestGapMs.toFixed(0)} ms)`);
}

/** Something of the run itself: it goes on, but has not passed. */
function fail(what: string, error: unknown): void {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stats.note(`${what}: ${why}`);
  say(`VIOLATION, ${what}: ${why}`);
}

async function report(): Promise<void> {
  const { violations } = stats;
  for (const line of stats.table()) say(line);
  const seconds = Math.round((now() - startedAt) / 1000);
  const { terms } = environment.history;
  const memoryMiB = Math.round(process.memoryUsage().rss / 2 ** 20);
  const { survived, all } = stats;
  const figures = { seed, seconds, terms, memoryMiB, survived, all, ...stats.toJSON() };
  if (values.out !== undefined) await writeFile(values.out, JSON.stringify(figures, null, 1));
  say(`seed ${seed}, ${terms} terms in ${seconds} s, ${memoryMiB} MiB here`);
  if (violations.length > 0) say(`${violations.length} violations; logs in ${environment.folder}`);
  say(`live faults survived ${survived}/${all}`);
}

async function end(code: number): Promise<never> {
  // What does not end by itself is ended by the watchdogs, with this process.
  setTimeout(() => process.exit(code), CLOSE_LIMIT_MS).unref();
  await environment.close(code !== 0).catch((error: unknown) => fail('the end', error));
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void report()
      .catch((error: unknown) => fail('the report', error))
      .finally(() => end(130));
  });
}
// A closed output is no reason to stop.
process.stdout.on('error', () => undefined);
process.on('unhandledRejection', (error) => fail('an unhandled rejection', error));
process.on('uncaughtException', (error) => fail('an uncaught exception', error));

say(`seed ${seed}`);
const ticking = setInterval(() => {
  if (minutes !== undefined) void report().catch((error: unknown) => fail('the report', error));
}, REPORT_EVERY_MS);
try {
  const endAt = startedAt + Number(minutes) * 60_000;
  const supply = minutes === undefined ? eachOnce : asLongAs(() => now() < endAt);
  const faults = await faultSetOf(({ name }) => only.some((part) => name.includes(part)));
  const serverPlans = [{ timings: DEFAULTS, faults: faults.servers }];
  const groups = Number(values.groups);
  await runSchedule(environment, {
    seed,
    faultSet: faults,
    serverPlans,
    supply,
    groups,
    report: print,
  });
} catch (error) {
  fail('the run', error);
}
clearInterval(ticking);
await report();
await end(stats.violations.length > 0 ? 1 : 0);
