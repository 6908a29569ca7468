import { readFile, writeFile } from 'node:fs/promises';
import type { Member } from '../crew.js';
import { duration } from '../expectations.js';
import { now, type ReportOf } from '../messages.js';
import type { Stage } from '../stage.js';

const WORKERS = 5;
const ROUNDS = 10;
const TOTAL = WORKERS * ROUNDS;
const WORK_LIMIT_MS = 40_000;

interface Outcome {
  readonly found: number;
  /** In the order of the clock. */
  readonly added: readonly (ReportOf<'added'> & { readonly by: Member })[];
  readonly tookMs: number;
}

export async function counter(stage: Stage): Promise<void> {
  const { timeline, crew, settingsOf } = stage;
  timeline.endLanes();
  timeline.chapter(
    '5  One lock, five processes',
    `Five processes add 1 to a number in a file, ${ROUNDS} times each: read, wait 5 ms, write. An update is ` +
      'lost when two of them read the same number. First without a lock, to see that; then with it.',
  );
  const names = Array.from({ length: WORKERS }, (_, index) => `worker-${index + 1}`);
  const workers = names.map((name) => crew.start('worker', settingsOf(name, 'counter')));
  timeline.add({ who: 'demo', what: `starts worker-1 to worker-${WORKERS}` });
  await Promise.all(workers.map((each) => crew.next([each], 'ready', `${each.name} to start`)));
  const { found: unlocked } = await run(stage, workers, false);
  const lost = `${TOTAL - unlocked} of ${TOTAL} updates are lost`;
  timeline.add({ who: 'demo', what: `without a lock: the number is ${unlocked}, ${lost}` });
  const outcome = await run(stage, workers, true);
  await crew.dismiss(workers);
  tell(stage, outcome);
}

async function run(stage: Stage, workers: readonly Member[], isLocked: boolean): Promise<Outcome> {
  const { crew, settingsOf } = stage;
  const file = settingsOf('demo', 'counter').counterFile;
  await writeFile(file, '0');
  const added: Outcome['added'][number][] = [];
  const stopListening = crew.listen((by, report) => {
    if (report.type === 'added') added.push({ ...report, by });
  });
  const startedAt = now();
  const done = workers.map((each) => {
    return crew.next([each], 'done', `${each.name} to end its work`, WORK_LIMIT_MS);
  });
  for (const worker of workers) worker.send({ type: 'work', rounds: ROUNDS, isLocked });
  await Promise.all(done);
  stopListening();
  const tookMs = now() - startedAt;
  added.sort((a, b) => a.at - b.at);
  return { found: Number(await readFile(file, 'utf8')), added, tookMs };
}

function tell({ timeline, expectations }: Stage, { found, added, tookMs }: Outcome): void {
  const order = added.map(({ by }) => by.name.replace('worker-', '')).join('');
  const what = `with the lock: the number is ${found}, after ${duration(tookMs)}; in this order: ${order}`;
  timeline.add({ who: 'demo', what });
  const tokens = added.map(({ token }) => token ?? 0n);
  const [first = 0n, last = 0n] = [tokens[0], tokens.at(-1)];
  const lost = TOTAL - found;
  timeline.conclude(`${lost} updates lost; ${tokens.length} tokens, from ${first} to ${last}`);
  const grown = tokens.filter((token, index) => token > (tokens[index - 1] ?? 0n)).length;
  expectations.check(
    `lock: number after ${WORKERS} × ${ROUNDS} additions`,
    String(TOTAL),
    String(found),
    lost === 0,
  );
  expectations.check(
    'lock: tokens greater than the last',
    `${TOTAL} of ${TOTAL}`,
    `${grown} of ${tokens.length}`,
    grown === TOTAL && tokens.length === TOTAL,
  );
}
