import { expect } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../../tools/harness/random.js';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testWithClientGo } from '../test-bed.js';
import type { ClientGoBed } from '../test-bed.js';
import { now, wallOffset } from '../../../tools/harness/processes/time.js';
import { Slot, startOurs, startTheirs } from './slots.js';
import type { MixedRun } from './slots.js';
import { HAZARDS, erasures, explainOverlaps } from './hazards.js';
import type { Findings, Hazard } from './hazards.js';
import type { ElectionHistory, Overlap, Timings } from './election-history.js';
import { brokenPromises, noticedAfter } from './promises.js';
import { readVersions } from './read-logs.js';

/**
 * Five seconds give many terms in a few minutes. client-go renews every second and not faster: its own
 * followers read whole seconds of a record, and would take a quicker leader for a dead one.
 */
const OURS = { leaseDurationMs: 5_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const THEIRS = { duration: '5s', deadline: '3300ms', retry: '1s' };
const TIMINGS: Timings = {
  ours: { durationMs: OURS.leaseDurationMs, marginMs: OURS.marginMs },
  theirs: { durationMs: 5_000, deadlineMs: 3_300, retryMs: 1_000, requestMs: 1_650 },
};
/** Longer than client-go sleeps between two looks. */
const COOLDOWN_MS = 3_000;

const DURATION_MS = isFull ? Number(process.env.SYNC_TEST_MIXED_MINUTES ?? '15') * 60_000 : 20_000;
const SEED = Number(process.env.SYNC_TEST_SEED ?? Date.now() % 1_000_000);
/** So much the wall clock may seem to have moved against the other by the way it is read. */
const CLOCKS_AGREE_MS = 5;
const LIMIT_MS = DURATION_MS + 90_000;

/** What is done to whom, decided by a seed; when it is decided depends on the machine as well. */
class Nemesis {
  readonly counts: Record<string, number> = {};
  readonly #random: () => number;
  readonly #slots: readonly Slot[];
  readonly #underWay = new Set<Promise<void>>();

  constructor(slots: readonly Slot[], seed: number) {
    this.#slots = slots;
    this.#random = seededRandom(seed);
  }

  async play(until: number, leader: () => string): Promise<void> {
    while (now() < until) {
      await sleep(this.#between(1_000, 3_000));
      const idle = this.#slots.filter(({ isBusy }) => !isBusy);
      const leading = idle.find(({ identity }) => identity === leader());
      const anyone = idle[Math.floor(this.#random() * idle.length)];
      // Mostly the one whose end of term matters.
      const slot = this.#random() < 0.75 ? (leading ?? anyone) : anyone;
      if (slot !== undefined) this.#do(slot);
    }
    await Promise.all(this.#underWay);
  }

  #do(slot: Slot): void {
    const dice = this.#random();
    // A pause that outlasts the lease tells more of client-go; of ours it is most often the end that does.
    const [resigns, dies, sleeps] = slot.isOurs ? [0.45, 0.65, 0.85] : [0.1, 0.2, 0.65];
    const pauseMs = this.#between(0.3, 1.7) * OURS.leaseDurationMs;
    if (dice < resigns) {
      this.#count('resignations');
      // Ours would always be first to take what is vacant, and client-go would hardly ever lead.
      const those = slot.isOurs ? this.#slots.filter(({ isOurs }) => isOurs) : [slot];
      for (const one of those) one.resign();
    } else if (dice < dies) {
      this.#start('kills', slot.killAndReplace(this.#between(200, 3_000)));
    } else if (dice < sleeps) {
      this.#start('pauses', slot.pause(pauseMs, false));
    } else {
      // Long enough for somebody else to lead by then: what it releases is no longer its own.
      const longMs = this.#between(1.1, 1.8) * OURS.leaseDurationMs;
      this.#start('pauses with a resignation', slot.pause(longMs, true));
    }
  }

  #start(what: string, action: Promise<void>): void {
    this.#count(what);
    this.#underWay.add(action);
    // A failure is told by `play()`, which waits for all.
    action.then(
      () => this.#underWay.delete(action),
      () => undefined,
    );
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}

async function runMixed(
  run: MixedRun,
): Promise<{ history: ElectionHistory; counts: Nemesis['counts'] }> {
  const probe = await WatchProbe.open(run.of.cluster);
  const slots = [
    ...['ours-a', 'ours-b', 'ours-c'].map(
      (name) => new Slot(name, true, (identity) => startOurs(run, identity)),
    ),
    ...['go-a', 'go-b'].map(
      (name) => new Slot(name, false, (identity) => startTheirs(run, identity)),
    ),
  ];
  const nemesis = new Nemesis(slots, SEED);
  const offset = wallOffset();
  try {
    // Theirs first: they would seldom be, beside ours.
    await Promise.all(slots.filter(({ isOurs }) => !isOurs).map((slot) => slot.enter()));
    while (probe.of(run.lease).length === 0) await sleep(50);
    await Promise.all(slots.filter(({ isOurs }) => isOurs).map((slot) => slot.enter()));
    await nemesis.play(now() + DURATION_MS, () => probe.of(run.lease).at(-1)?.holder ?? '');
    await Promise.all(slots.map((slot) => slot.leave()));
    // Nothing more comes from those who have ended.
    await sleep(500);
  } finally {
    probe.close();
  }
  // Lines of client-go carry the wall clock's time.
  expect(Math.abs(wallOffset() - offset)).toBeLessThan(CLOCKS_AGREE_MS);
  const versions = readVersions(probe.of(run.lease));
  const accounts = await Promise.all(slots.map((slot) => slot.accounts(versions)));
  const history = { timings: TIMINGS, versions, candidates: accounts.flat() };
  return { history, counts: nemesis.counts };
}

function table({ explained }: Findings): string[] {
  const kinds = (overlap: Overlap): string =>
    [overlap.a, overlap.b]
      .map(({ candidate }) => candidate.kind)
      .sort()
      .join(' + ');
  const all = explained.flatMap(({ overlap, parts }) =>
    parts.map((part) => ({ ...part, ms: part.to - part.from, pair: kinds(overlap) })),
  );
  return (Object.keys(HAZARDS) as Hazard[]).map((hazard) => {
    const found = all.filter((part) => part.hazard === hazard);
    const pairs = ['client-go + client-go', 'client-go + ours', 'ours + ours'].flatMap((pair) => {
      const lengths = found.filter((part) => part.pair === pair).map(({ ms: length }) => length);
      if (lengths.length === 0) return [];
      return [`${lengths.length} × ${pair}, at most ${ms(Math.max(...lengths))}`];
    });
    return `${HAZARDS[hazard]}: ${pairs.join('; ') || 'no overlap'}`;
  });
}

function report(
  of: ClientGoBed,
  history: ElectionHistory,
  counts: object,
  findings: Findings,
): void {
  const say = (figures: string): void => print('mixed', of.cluster, figures);
  const spells = (kind: string): number =>
    history.candidates
      .filter((one) => one.kind === kind)
      .reduce((sum, one) => sum + one.spells.length, 0);
  const terms = `${spells('ours')} terms of ours, ${spells('client-go')} of client-go's`;
  const seconds = (DURATION_MS / 1000).toFixed(0);
  say(`seed ${SEED}, ${seconds} s, ${JSON.stringify(counts)}: ${terms}`);
  for (const line of table(findings)) say(line);
  const erased = erasures(history);
  const ofOurs = erased.filter(({ of: victim }) => victim.kind === 'ours').length;
  say(`releases of client-go's erased ${erased.length} records of others, ${ofOurs} of ours`);
  const noticed = noticedAfter(history);
  const latest = ms(Math.max(0, ...noticed));
  say(
    `ours lost a record that it still led by ${noticed.length} times, told after ${latest} at most`,
  );
  const { length } = findings.unexplained;
  say(`overlaps that nothing explains: ${length}`);
}

/** Kept for whoever looks for the reason of a failure. */
async function keep(history: ElectionHistory): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'mixed-history-')), `seed-${SEED}.json`);
  const plain = (_: string, value: unknown): unknown =>
    typeof value === 'bigint' ? value.toString() : value;
  await writeFile(file, JSON.stringify(history, plain, 1));
  return file;
}

function inWords({ a, b, from, to }: Overlap): string {
  return `${a.candidate.identity} and ${b.candidate.identity} from ${from} to ${to}`;
}

async function tellMixed(of: ClientGoBed): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mixed-'));
  try {
    const run = {
      of,
      lease: 'mixed',
      folder,
      ours: OURS,
      theirs: THEIRS,
      cooldownMs: COOLDOWN_MS,
    };
    const { history, counts } = await runMixed(run);
    const findings = explainOverlaps(history);
    report(of, history, counts, findings);
    const faults = [...brokenPromises(history), ...findings.unexplained.map(inWords)];
    if (faults.length > 0) print('mixed', of.cluster, `history in ${await keep(history)}`);
    expect(faults).toEqual([]);
    // Else it was no contest.
    for (const kind of ['ours', 'client-go'] as const) {
      const some = history.candidates.filter((one) => one.kind === kind && one.spells.length > 0);
      expect({ kind, took: some.length > 0 }).toEqual({ kind, took: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Declares the test. */
function mixedStory(): void {
  const name =
    'Ours keep their promises beside client-go’s candidates, and every overlap is explained';
  testWithClientGo(name, LIMIT_MS, tellMixed);
}

mixedStory();
