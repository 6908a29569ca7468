// Real faults on real API servers, for as long as one likes: `main.ts --minutes N` goes through all of them at
// random; without, each is injected once.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { random } from '../../protocol/world.js';
import { now } from '../workers/time.js';
import { outsiderFaults } from './outsiders.js';
import { pathFaults } from './paths.js';
import { processFaults } from './processes.js';
import { play } from './runner.js';
import type { Act } from './runner.js';
import { serverFaults } from './servers.js';
import { Tally } from './tally.js';
import { World } from './world.js';

const SHORT = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const DEFAULTS = { leaseDurationMs: 15_000, renewIntervalMs: 2_000, marginMs: 2_000 };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    /** Only faults with this in their name. */
    only: { type: 'string', default: '' },
    troupes: { type: 'string', default: '2' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const endAt = values.minutes === undefined ? Infinity : now() + Number(values.minutes) * 60_000;
const isEndless = Number.isFinite(endAt);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const isWanted = ({ name }: { name: string }): boolean => name.includes(values.only);
const local: readonly Act[] = [...processFaults, ...pathFaults, ...outsiderFaults].filter(isWanted);
const OUTAGES = ['Half-open, shorter than belief', 'Requests unanswered, shorter than belief'];

/** Each once, or at random until time is up. */
function supply(acts: readonly Act[], dice: () => number): () => Act | undefined {
  const left = [...acts];
  if (!isEndless) return () => left.shift();
  return () => (now() < endAt ? acts[Math.floor(dice() * acts.length)] : undefined);
}

const tally = new Tally();
const world = await World.open();
process.once('SIGINT', () => {
  void world.close(true).then(() => process.exit(130));
});

async function run(): Promise<void> {
  const calm = await world.calm();
  const acts = supply(local, random(seed));
  const tell = (outcome: Parameters<Tally['add']>[0]): void => {
    tally.add(outcome);
    for (const what of outcome.violations) say(`VIOLATION, ${outcome.fault}: ${what}`);
    if (!isEndless)
      say(`${outcome.violations.length === 0 ? 'passed' : 'FAILED'}: ${outcome.fault}`);
  };
  const names = Array.from({ length: Number(values.troupes) }, (_, n) => `t${n + 1}`);
  const troupes = names.map(async (name, n) => {
    const dice = random(seed + n + 1);
    const troupe = await calm({ name, size: 3, timings: SHORT, random: dice });
    await play(world, troupe, acts, tell);
  });
  await Promise.all([...troupes, runServers(tell)]);
}

async function runServers(tell: Parameters<typeof play>[3]): Promise<void> {
  const wishes = { name: 's', size: 4, timings: DEFAULTS, random: random(seed + 100) };
  const longer = local.filter(({ name }) => OUTAGES.includes(name));
  if (serverFaults.filter(isWanted).length + longer.length === 0) return;
  const { troupe, servers } = await world.stormy(wishes);
  const acts: Act[] = serverFaults
    .filter(isWanted)
    .map(({ name, inject }) => ({ name, inject: (of) => inject(of, servers) }));
  const slow = longer.map((act) => ({ ...act, name: `${act.name}, default options` }));
  await play(world, troupe, supply([...acts, ...slow], random(seed + 101)), tell);
}

function summarize(): void {
  for (const line of tally.table()) say(line);
}

say(`seed ${seed}`);
const startedAt = now();
const ticking = setInterval(() => {
  if (!isEndless) return;
  say(
    `after ${((now() - startedAt) / 60_000).toFixed(1)} minutes, ${world.chronicle.terms} terms:`,
  );
  summarize();
}, 60_000);
try {
  await run();
} catch (error) {
  tally.violations.push(String(error));
  say(String(error));
} finally {
  clearInterval(ticking);
}
const hasFailed = tally.violations.length > 0;
await world.close(hasFailed);
summarize();
if (hasFailed) say(`diaries are kept in ${world.folder}`);
const { passed, failed } = tally.verdict;
const seconds = Math.round((now() - startedAt) / 1000);
const summary = { seed, seconds, terms: world.chronicle.terms, passed, failed, ...tally.toJSON() };
if (values.out !== undefined) await writeFile(values.out, JSON.stringify(summary, null, 1));
say(`${world.chronicle.terms} terms in ${seconds} s`);
say(`${passed} passed, ${failed} failed`);
process.exit(hasFailed ? 1 : 0);
