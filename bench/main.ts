// `npm run bench`: all rows side by side on one API server, in some ten minutes; `-- --quick` in three.
// `--only NAME` (repeated) runs some rows; `--only many-long` holds a thousand locks for ten minutes, `--only distance`
// has processes at different distances take one lock for eight.
// `--out FOLDER` is where it leaves table, figures and plots. Without it only a whole run writes, to bench/results/: what is
// committed there is never replaced by a quick run or by some rows.
import { parseArgs } from 'node:util';
import { folderOf, runOf, tableOf, write } from './report.js';
import { candidates } from './rows/candidates.js';
import { coldStart } from './rows/cold-start.js';
import { crash } from './rows/crash.js';
import { distance } from './rows/distance.js';
import { handOff } from './rows/hand-off.js';
import { herd } from './rows/herd.js';
import { manyFor } from './rows/many.js';
import { peers } from './rows/peers.js';
import { uncontended } from './rows/uncontended.js';
import { WorkerPool } from '../tools/harness/processes/pool.js';
import { withStage, type Result } from './stage.js';

const rows = [handOff, uncontended, candidates, herd, manyFor(false), crash, peers, coldStart];
const all = [...rows, distance, manyFor(true)];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    out: { type: 'string' },
  },
});
const wanted = values.only ?? rows.map(({ name }) => name);
const unknown = wanted.find((name) => !all.some((row) => row.name === name));
if (unknown !== undefined) {
  throw new Error(`there is no row ${unknown}: ${all.map(({ name }) => name).join(', ')}`);
}

const begun = performance.now();
function say(line: string): void {
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${line}\n`);
}

const run = await withStage(values.quick, say, async (stage) => {
  const results: Record<string, Result> = {};
  for (const row of all.filter(({ name }) => wanted.includes(name))) {
    say(row.name);
    const pool = new WorkerPool();
    // What a row started is no noise for the next one.
    results[row.name] = await row.run({ ...stage, pool }).finally(() => pool.killAll());
  }
  return runOf(stage.cluster.version, values.quick, results);
});
console.log(tableOf(run));
const folder = folderOf(values);
if (folder !== null) write(run, folder);
say(`done: kube-apiserver ${run.server}, Node.js ${run.node}, ${run.cores} cores`);
