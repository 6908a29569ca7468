// The test run: `node tools/test-runner/run.js full|fast|live …`, one plan after the other. The tracks of a plan
// run side by side, the stages of a track in their order. Every stage runs, whatever became of those before
// it; then come one verdict per stage, the API servers that took part, and the totals as last line.
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { endAll, runStage } from './stage.js';

/** @typedef {import('./stage.js').Stage} Stage */
/** @typedef {import('./stage.js').Verdict} Verdict */

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    endAll();
    process.kill(process.pid, signal);
  });
}

try {
  const [lines, verdicts] = [[], []];
  const names = process.argv.slice(2);
  for (const plan of await Promise.all((names.length > 0 ? names : ['full']).map(loadPlan))) {
    const own = (await Promise.all(plan.tracks.map(runTrack))).flat();
    const closing = plan.close?.(own) ?? { lines: [], verdicts: [] };
    own.push(...closing.verdicts);
    verdicts.push(...own);
    lines.push(...own.map(describe), ...own.flatMap(skippedTests), ...closing.lines);
  }
  console.log(`\n${lines.join('\n')}`);
  conclude(sum(verdicts, 'passed'), sum(verdicts, 'failed'));
} catch (error) {
  console.error(error);
  conclude(0, 1);
}

/** @param {readonly Stage[]} stages */
async function runTrack(stages) {
  const verdicts = [];
  for (const stage of stages) {
    console.log(`\n--- ${stage.name}${stage.background ? ', in the background' : ''}`);
    const verdict = await runStage(stage);
    if (stage.background) console.log(`\n--- ${describe(verdict)}\n${verdict.output.trimEnd()}`);
    verdicts.push(verdict);
  }
  return verdicts;
}

/** A name of `plans.js`, or a file that exports `plan`. */
async function loadPlan(name) {
  if (name.endsWith('.js')) return (await import(pathToFileURL(resolve(name)).href)).plan;
  const { plans } = await import('./plans.js');
  if (!Object.hasOwn(plans, name)) throw new Error(`no such plan: ${name}`);
  return plans[name];
}

/** @param {Verdict} verdict */
function describe({ name, seconds, passed, failed, skipped, trouble }) {
  const counts = [`${passed} passed`];
  if (failed > 0) counts.push(`${failed} failed`);
  if (skipped > 0) counts.push(`${skipped} skipped`);
  if (trouble !== '') counts.push(trouble);
  const mark = failed > 0 ? 'FAIL' : 'ok  ';
  return `${mark} ${name.padEnd(14)}${seconds.toFixed(1).padStart(7)} s   ${counts.join(', ')}`;
}

/** No test is left out in silence. */
function skippedTests({ results }) {
  const tests = (results?.testResults ?? []).flatMap(({ assertionResults }) => assertionResults);
  return tests
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `skipped: ${fullName}`);
}

function sum(verdicts, field) {
  return verdicts.reduce((total, verdict) => total + verdict[field], 0);
}

function conclude(passed, failed) {
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed`);
}
