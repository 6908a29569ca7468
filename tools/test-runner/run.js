// Runs tiers of the tests, one after the other: `node tools/test-runner/run.js test cluster verification`.
// Every stage runs, whether or not those before it passed. Then come one verdict for each stage, what did not
// take part, the slowest tests, and the totals as the last line.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, report } from './report.js';
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
  const ran = [];
  const names = process.argv.slice(2);
  for (const [name, tier] of await loadTiers(names.length > 0 ? names : ['test'])) {
    const start = performance.now();
    const verdicts = [];
    for (const step of tier.steps) verdicts.push(...(await runStep(step)));
    ran.push({ name, verdicts, seconds: (performance.now() - start) / 1000 });
  }
  const { lines, passed, failed } = report(ran);
  console.log(`\n${lines.join('\n')}`);
  conclude(passed, failed);
} catch (error) {
  console.error(error);
  conclude(0, 1);
}

/** Names of `tiers.js`, or files that export `tier`. */
async function loadTiers(names) {
  const { tiers } = await import('./tiers.js');
  const load = async (name) => {
    if (name.endsWith('.js')) return (await import(pathToFileURL(resolve(name)).href)).tier;
    if (!Object.hasOwn(tiers, name)) throw new Error(`no such tier: ${name}`);
    return tiers[name];
  };
  return Promise.all(names.map(async (name) => [name, await load(name)]));
}

/**
 * @param {readonly Stage[]} stages
 * @returns {Promise<Verdict[]>} in the order of the stages
 */
async function runStep(stages) {
  const verdicts = [];
  const waiting = stages.entries();
  const isAlone = stages.length === 1;
  const runOneAfterAnother = async () => {
    for (const [index, stage] of waiting) verdicts[index] = await runAndShow(stage, isAlone);
  };
  const cores = Math.min(availableParallelism(), stages.length);
  await Promise.all(Array.from({ length: cores }, runOneAfterAnother));
  return verdicts;
}

/** Shows the output as it comes when nothing runs beside the stage, otherwise at the end. */
async function runAndShow(stage, isAlone) {
  const missing = await stage.missing?.();
  if (missing !== undefined) {
    console.log(`\n--- ${stage.name}: did not take part: ${missing}`);
    return { name: stage.name, seconds: 0, passed: 0, failed: 0, skipped: 0, output: '', missing };
  }
  if (isAlone) {
    console.log(`\n--- ${stage.name}`);
    return runStage(stage, (text) => process.stdout.write(text));
  }
  const verdict = await runStage(stage, () => undefined);
  console.log(`\n--- ${describe(verdict)}`);
  if (verdict.output !== '') console.log(verdict.output.trimEnd());
  return verdict;
}

function conclude(passed, failed) {
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed`);
}
