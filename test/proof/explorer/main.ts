/**
 * The explorer's command. Without options it exhausts the scopes of the default run; `--scope NAME` (repeated)
 * and `--all` choose others, `--states N` bounds each, `--flaw` plants a flaw of the wire, `--json` adds one
 * line of JSON for each scope. Exit code 0: nothing found, 1: a violation, 2: the explorer itself failed.
 */
import { parseArgs } from 'node:util';
import type { Flaw, Scope } from './scope.js';
import { scopes, standing } from './scopes.js';
import { search, type Found } from './search.js';
import { traceOf, type Trace } from './trace.js';

/** What became of one scope, as `--json` prints it. */
export interface Explored {
  readonly scope: string;
  readonly states: number;
  readonly exhausted: boolean;
  readonly progress: Found['progress'];
  readonly violation: {
    readonly promise: string;
    readonly steps: number;
    readonly trace: readonly string[];
  } | null;
}

/** What fits into 8 GB. */
const MOST_STATES = 60_000_000;

const { values } = parseArgs({
  options: {
    scope: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    states: { type: 'string', default: String(MOST_STATES) },
    flaw: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

try {
  process.exitCode = run();
} catch (error) {
  console.error(error);
  process.exitCode = 2;
}

function run(): number {
  if (values.list) {
    for (const { name, what } of scopes) console.log(`${name.padEnd(22)} ${what}`);
    return 0;
  }
  const flaw = (values.flaw ?? null) as Flaw | null;
  const all: Found[] = [];
  for (const scope of chosen()) {
    const found = search(scope, Number(values.states), flaw);
    all.push(found);
    const trace = found.violation === null ? null : traceOf(scope, flaw, found.violation);
    console.log(lineOf(found));
    if (trace !== null) console.log(`\n${trace.lines.join('\n')}\n`);
    if (values.json) console.log(JSON.stringify(explored(found, trace)));
    if (trace !== null) return end(all, 1);
  }
  return end(all, 0);
}

function chosen(): readonly Scope[] {
  if (values.all) return scopes;
  if (values.scope === undefined) return standing;
  return values.scope.map((name) => {
    const scope = scopes.find((one) => one.name === name);
    if (scope === undefined) throw new Error(`no scope ${name}: see --list`);
    return scope;
  });
}

function lineOf({
  scope,
  states,
  transitions,
  depth,
  seconds,
  exhausted,
  progress,
}: Found): string {
  return [
    scope.name.padEnd(22),
    `${states.toLocaleString('en').padStart(11)} states`,
    `${transitions.toLocaleString('en').padStart(12)} transitions`,
    `depth ${String(depth).padStart(3)}`,
    `${seconds.toFixed(1).padStart(6)} s`,
    `${Math.round(states / seconds)
      .toLocaleString('en')
      .padStart(7)} states/s`,
    exhausted ? 'exhausted' : 'stopped  ',
    `progress from ${progress.tried} states within ${progress.longestMs} ms`,
  ].join('  ');
}

function explored({ scope, ...figures }: Found, trace: Trace | null): Explored {
  const { states, exhausted, progress } = figures;
  const violation =
    trace === null
      ? null
      : { promise: trace.violation.promise, steps: trace.lines.length - 1, trace: trace.lines };
  return { scope: scope.name, states, exhausted, progress, violation };
}

function end(all: readonly Found[], code: number): number {
  const states = all.reduce((sum, one) => sum + one.states, 0);
  const seconds = all.reduce((sum, one) => sum + one.seconds, 0);
  const total = `${states.toLocaleString('en')} states in ${seconds.toFixed(1)} s of processor time`;
  if (!values.json) console.log(total);
  return code;
}
