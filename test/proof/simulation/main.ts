/**
 * The simulation's command: one run per seed, until one breaks a promise. That one is reduced, and its trace is printed.
 * Progress goes to stderr.
 *
 * - `--seeds N --from S`: how many seeds, and the first of them. Two processes share a thousand and more. For a night:
 *   `--seeds 200000 --from $(date +%Y%m%d)000000`, two hours on two idle cores
 * - `--seconds N`: no further seed after this time
 * - `--replay SEED`: the same run again, with its whole trace, not reduced
 * - `--beyond`: clock rates differ by more than the margin covers. Overlaps are counted, everything else must hold
 * - `--rival KIND`: `client-go`, `wall-clock` or `no-cas` in place of the library
 * - `--mix NAME`: one of the mixes of `mixes.ts` for 120 s, in place of what the seed would make; `--lasts MS` for others
 * - `--raw`: a violation is not reduced
 * - `--workers N`: how many processes
 * - `--json`: a line of JSON at the end
 * - `--share N`: with `--json`, such a line after every N seeds instead
 *
 * Exit code 0: nothing found, 1: a violation, 2: the simulation itself failed.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inWorkers, type Result } from './workers.js';
import { mixes } from './mixes.js';
import { rivalKinds, type PlanOptions } from './plan.js';
import { replay, search, type Range } from './search.js';
import { Tally } from './tally.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    replay: { type: 'string' },
    beyond: { type: 'boolean', default: false },
    rival: { type: 'string' },
    mix: { type: 'string' },
    lasts: { type: 'string', default: '120000' },
    raw: { type: 'boolean', default: false },
    workers: { type: 'string' },
    share: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const script = fileURLToPath(import.meta.url);
const WORTH_TWO = 1_000;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const range: Range = {
    from: whole('--from', values.from),
    seeds: whole('--seeds', values.seeds),
    seconds: Number(values.seconds),
    plan: planOptions(),
    run: { mayOverlap: values.beyond },
    raw: values.raw,
  };
  const { replay: seed } = values;
  if (seed !== undefined) return report(await replay(whole('--replay', seed), range));
  const share = whole('--share', values.share ?? values.seeds);
  for (let from = range.from; from < range.from + range.seeds; from += share) {
    const seeds = Math.min(share, range.from + range.seeds - from);
    const code = report(await shared({ ...range, from, seeds }));
    if (code !== 0) return code;
  }
  return 0;
}

async function shared(range: Range): Promise<Result> {
  const { from, seeds } = range;
  const workers = whole('--workers', values.workers ?? (seeds < WORTH_TWO ? '1' : '2'));
  const started = performance.now();
  const results =
    workers <= 1 ? [await search(range)] : await inWorkers(script, parts(range, workers));
  const tally = new Tally();
  for (const result of results) tally.merge(result);
  const [found] = results
    .flatMap(({ violation }) => (violation === null ? [] : [violation]))
    .sort((a, b) => a.seed - b.seed);
  console.log(tally.lines((performance.now() - started) / 1_000).join('\n'));
  if (found === undefined) {
    console.log(`nothing found from seed ${from} on`);
  } else {
    console.log(`\n${found.trace.join('\n')}\n\nthe whole of it: --replay ${found.seed}`);
  }
  return { violation: found ?? null, ...tally.figures };
}

function report(result: Result): number {
  if (values.json) console.log(JSON.stringify(result));
  return result.violation === null ? 0 : 1;
}

function parts({ from, seeds, seconds }: Range, workers: number): string[][] {
  const share = Math.ceil(seeds / workers);
  const firsts = Array.from({ length: workers }, (_, n) => from + n * share);
  const flags = (['beyond', 'raw'] as const).filter((flag) => values[flag]);
  const kind = [...flags.map((flag) => `--${flag}`), ...rivalArguments(), ...mixArguments()];
  return firsts.map((first) => [
    ...['--from', `${first}`, '--seeds', `${Math.max(0, Math.min(share, from + seeds - first))}`],
    ...['--seconds', `${seconds}`, '--workers', '1', ...kind],
  ]);
}

function rivalArguments(): string[] {
  return values.rival === undefined ? [] : ['--rival', values.rival];
}

function mixArguments(): string[] {
  return values.mix === undefined ? [] : ['--mix', values.mix, '--lasts', values.lasts];
}

function planOptions(): PlanOptions {
  const { beyond, rival, mix: name } = values;
  if (name !== undefined) {
    if (mixes[name] === undefined)
      throw new RangeError(`--mix: one of ${Object.keys(mixes).join(', ')}`);
    return { mix: { name, lastsMs: whole('--lasts', values.lasts) } };
  }
  if (rival === undefined) return { beyond };
  const kind = rivalKinds.find((one) => one === rival);
  if (kind === undefined) throw new RangeError(`--rival: one of ${rivalKinds.join(', ')}`);
  return { beyond, rival: kind };
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${option}: a whole number, not ${text}`);
  }
  return value;
}
