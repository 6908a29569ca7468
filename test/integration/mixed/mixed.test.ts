// Candidates of this package and of client-go for one Lease under a nemesis: a run of processes becomes a history, and
// the history is checked.
import { expect } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFull, ms, print } from '../../../tools/harness/processes/figures.js';
import { WatchProbe } from '../../../tools/harness/processes/watch-probe.js';
import { testWithClientGo } from '../test-bed.js';
import type { ClientGoBed } from '../test-bed.js';
import { now, wallOffset } from '../../../tools/harness/processes/time.js';
import { Nemesis } from './nemesis.js';
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
/** How much the wall clock may seem to have moved against the other by the way it is read. */
const CLOCKS_AGREE_MS = 5;
/** How much longer it goes on until both kinds have led. */
const MORE_MS = 60_000;
const LIMIT_MS = DURATION_MS + MORE_MS + 120_000;

interface Outcome {
  readonly history: ElectionHistory;
  readonly counts: Nemesis['counts'];
  /** How much the wall clock moved meanwhile. */
  readonly movedMs: number;
}

async function runMixed(run: MixedRun): Promise<Outcome> {
  const probe = await WatchProbe.open(run.of.cluster);
  const slots = [
    ...['ours-a', 'ours-b', 'ours-c'].map(
      (name) => new Slot(name, true, (identity) => startOurs(run, identity)),
    ),
    ...['go-a', 'go-b'].map(
      (name) => new Slot(name, false, (identity) => startTheirs(run, identity)),
    ),
  ];
  const nemesis = new Nemesis(slots, OURS.leaseDurationMs, SEED);
  const [startedAt, offset] = [now(), wallOffset()];
  try {
    // Theirs first: they would seldom be, beside ours.
    await Promise.all(slots.filter(({ isOurs }) => !isOurs).map((slot) => slot.enter()));
    while (probe.of(run.lease).length === 0) await sleep(50);
    await Promise.all(slots.filter(({ isOurs }) => isOurs).map((slot) => slot.enter()));
    const end = now() + DURATION_MS;
    const hasLed = (kind: string): boolean =>
      probe.of(run.lease).some(({ holder }) => holder.startsWith(kind));
    // No contest unless both kinds have led.
    const goesOn = (): boolean =>
      now() < end || (now() < end + MORE_MS && !(hasLed('ours') && hasLed('go')));
    await nemesis.run(goesOn, () => probe.of(run.lease).at(-1)?.holder ?? '');
    await Promise.all(slots.map((slot) => slot.leave()));
    // Nothing more comes from those who have ended.
    await sleep(500);
  } finally {
    probe.close();
  }
  const movedMs = Math.abs(wallOffset() - offset);
  const versions = readVersions(probe.of(run.lease));
  const accounts = await Promise.all(slots.map((slot) => slot.accounts(versions)));
  const stalls = (await run.of.witness.stalls(startedAt, now())).map(({ from, until: to }) => ({
    from,
    to,
  }));
  const candidates = accounts.flat();
  const history: ElectionHistory = { timings: TIMINGS, versions, candidates, stalls };
  return { history, counts: nemesis.counts, movedMs };
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

/** Kept for the search for the reason of a failure. */
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

async function keepPromises(of: ClientGoBed): Promise<void> {
  const { witness, cluster } = of;
  const folder = await mkdtemp(join(tmpdir(), 'mixed-'));
  try {
    const { history, counts, movedMs } = await runMixed({
      ...{ of, lease: 'mixed', folder, ours: OURS, theirs: THEIRS, cooldownMs: COOLDOWN_MS },
    });
    // Lines of client-go carry the time of the wall clock.
    if (movedMs > CLOCKS_AGREE_MS) {
      witness.annul(`the wall clock moved by ${ms(movedMs)} in a run of candidates`);
      return;
    }
    const findings = explainOverlaps(history);
    report(of, history, counts, findings);
    const faults = [...brokenPromises(history), ...findings.unexplained.map(inWords)];
    if (faults.length > 0) print('mixed', cluster, `history in ${await keep(history)}`);
    expect(faults).toEqual([]);
    const { unexplained } = explainOverlaps({ ...history, stalls: [] });
    for (const overlap of unexplained) witness.annul(`explained by a stall: ${inWords(overlap)}`);
    if (unexplained.length === 0) witness.hold();
    for (const kind of ['ours', 'client-go'] as const) {
      const some = history.candidates.filter((one) => one.kind === kind && one.spells.length > 0);
      expect({ kind, led: some.length > 0 }).toEqual({ kind, led: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

testWithClientGo(
  'Candidates keep their promises beside those of client-go, and every overlap is explained',
  LIMIT_MS,
  keepPromises,
);
