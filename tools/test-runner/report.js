// What a test run says at its end.
import { relative } from 'node:path';

/** @typedef {import('./stage.js').Verdict} Verdict */
/** @typedef {{ name: string, seconds: number, verdicts: readonly Verdict[] }} Tier */

/** Lines in which the proofs say how far they went. */
const FIGURES =
  /^(explorer: \d+ scopes|mutants killed|simulation: \d+ seeds|live faults survived)\b.*$/gm;
/** Real programs that take part, as the titles of tests name them. */
const PARTNERS = {
  'real API server': /kube-apiserver v[\w.+-]+/,
  'client-go': /client-go v[\w.+-]+/,
};
/** Each test file that has bounds of time says what became of them: see tools/harness/witness.ts. */
const BOUNDS = /^bounds: (\d+) held, (\d+) void/gm;
const SLOWEST = 10;

/**
 * @param {readonly Tier[]} tiers
 * @returns {{ lines: string[], passed: number, failed: number }}
 */
export function report(tiers) {
  const verdicts = tiers.flatMap((tier) => tier.verdicts);
  const lines = tiers.flatMap(({ name, seconds, verdicts: own }) => [
    `${name}: ${seconds.toFixed(1)} s`,
    ...own.map(describe),
    ...own.flatMap(skippedTests),
    ...own.flatMap(({ output }) => output.match(FIGURES) ?? []),
    ...partners(own),
    ...bounds(own),
    '',
  ]);
  const passed = sum(verdicts.map((one) => one.passed));
  const failed = sum(verdicts.map((one) => one.failed));
  return { lines: [...lines, ...slowest(verdicts)], passed, failed };
}

/**
 * One line.
 *
 * @param {Verdict} verdict
 */
export function describe({ name, seconds, passed, failed, skipped, trouble, missing }) {
  if (missing !== undefined) return `--   ${name.padEnd(14)} did not take part: ${missing}`;
  const counts = [`${passed} passed`];
  if (failed > 0) counts.push(`${failed} failed`);
  if (skipped > 0) counts.push(`${skipped} skipped`);
  if (trouble !== '') counts.push(trouble);
  const mark = failed > 0 ? 'FAIL' : 'ok  ';
  return `${mark} ${name.padEnd(14)}${seconds.toFixed(1).padStart(7)} s   ${counts.join(', ')}`;
}

/** No test is left out in silence. */
function skippedTests(verdict) {
  return testsOf(verdict)
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `skipped: ${fullName}`);
}

function partners(verdicts) {
  const passed = verdicts.flatMap(testsOf).filter(({ status }) => status === 'passed');
  return Object.entries(PARTNERS).flatMap(([what, pattern]) => {
    const found = new Map();
    for (const { fullName } of passed) {
      const version = pattern.exec(fullName)?.[0];
      if (version !== undefined) found.set(version, (found.get(version) ?? 0) + 1);
    }
    return [...found].map(([version, count]) => `${what}: ${version} took part in ${count} tests`);
  });
}

/** Bounds of time that were not asserted because the machine stood still meanwhile. */
function bounds(verdicts) {
  const said = verdicts.flatMap(({ output }) => [...output.matchAll(BOUNDS)]);
  if (said.length === 0) return [];
  const [held, voided] = [1, 2].map((group) => sum(said.map((match) => Number(match[group]))));
  const line = `bounds of time: ${held} held`;
  return [voided === 0 ? line : `${line}, ${voided} bounds void: the machine stalled`];
}

function slowest(verdicts) {
  const tests = verdicts
    .flatMap(testsOf)
    .filter(({ duration }) => typeof duration === 'number')
    .sort((a, b) => b.duration - a.duration)
    .slice(0, SLOWEST);
  if (tests.length === 0) return [];
  const lines = tests.map(({ file, fullName, duration }) => {
    return `${(duration / 1000).toFixed(1).padStart(7)} s  ${file}: ${fullName}`;
  });
  return ['slowest tests:', ...lines, ''];
}

/** @param {Verdict} verdict */
function testsOf({ results }) {
  return (results?.testResults ?? []).flatMap(({ name, assertionResults }) => {
    const file = relative(process.cwd(), name ?? '');
    return (assertionResults ?? []).map((test) => ({ file, ...test }));
  });
}

function sum(numbers) {
  return numbers.reduce((total, one) => total + one, 0);
}
