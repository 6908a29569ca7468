// Runs one stage of a test run: a command in a process group of its own, with a time limit. Its output is
// shown as it comes, or at the end when other stages run beside it. A process that it leaves behind is
// ended and counts as a failure.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {readonly string[]} command program and arguments
 * @property {number} limitSeconds the stage is ended and counted as failed after that time. It only ends
 *   what hangs: a slow machine must never reach it
 * @property {boolean} [jest] the command is Jest: its tests are counted, not the stage
 * @property {number} [endLimitSeconds] how long anything may go on after the work is done
 * @property {Readonly<Record<string, string>>} [env] added to the environment
 * @property {() => Promise<string | undefined>} [missing] asked when the stage's turn comes: why it cannot
 *   take part on this machine, in one line
 */

/**
 * @typedef {object} Verdict
 * @property {string} name
 * @property {number} seconds
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string} output what it printed
 * @property {string} trouble why the stage failed beside failed tests, or empty
 * @property {object} [results] all that Jest reports
 */

/**
 * How long Jest may go on after it has written its results, and how long the processes of a command may
 * outlive the command. Beyond that, something was left open.
 */
const END_LIMIT_SECONDS = 60;

/** The process groups of the stages under way. */
const groups = new Set();

/** Ends everything that was started here, when the run is interrupted. */
export function endAll() {
  for (const group of groups) killGroup(group);
}

/**
 * @param {Stage} stage
 * @param {(text: string) => void} show gets the output as it comes
 * @returns {Promise<Verdict>} never rejects
 */
export async function runStage(stage, show) {
  const folder = mkdtempSync(join(tmpdir(), 'stage-'));
  const resultsFile = join(folder, 'results.json');
  const start = performance.now();
  const printed = [];
  try {
    const trouble = await perform(stage, resultsFile, (text) => {
      printed.push(text);
      show(text);
    });
    const seconds = (performance.now() - start) / 1000;
    const output = printed.join('');
    return { name: stage.name, seconds, output, ...count(stage, resultsFile, trouble) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves to what went wrong beside failed tests, or to an empty string. */
async function perform(stage, resultsFile, print) {
  const [program, ...args] = stage.command;
  const results = stage.jest ? ['--json', `--outputFile=${resultsFile}`] : [];
  const child = spawn(program, [...args, ...results], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...stage.env },
  });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', print);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      resolve(code === 0 ? '' : `ended with ${signal ?? `exit code ${code}`}`);
    });
  });
  if (child.pid === undefined) return ended;
  const closed = new Promise((resolve) => child.once('close', resolve));
  groups.add(child.pid);
  const late = new AbortController();
  const overdue = findOverdue(stage, resultsFile, late.signal);
  let trouble = await Promise.race([ended, overdue]);
  late.abort();
  if (child.exitCode === null && child.signalCode === null) killGroup(child.pid);
  await ended;
  if (!(await isGone(child.pid, stage))) {
    killGroup(child.pid);
    trouble ||= 'left processes behind';
  }
  groups.delete(child.pid);
  // The last of its output may come after its end. A process that left the group may keep the pipe open.
  await Promise.race([closed, sleep(endLimitMs(stage), undefined, { ref: false })]);
  return trouble;
}

/** Resolves when the stage has taken too long; otherwise never. */
async function findOverdue(stage, resultsFile, signal) {
  const limit = performance.now() + stage.limitSeconds * 1000;
  let endLimit = Infinity;
  for (;;) {
    const stopped = await sleep(200, false, { signal, ref: false }).catch(() => true);
    if (stopped) return new Promise(() => undefined);
    const now = performance.now();
    if (now > limit) return `not done after ${stage.limitSeconds} s`;
    if (now > endLimit) return 'all tests have ended, but something keeps Jest running';
    if (endLimit === Infinity && stage.jest && existsSync(resultsFile)) {
      endLimit = now + endLimitMs(stage);
    }
  }
}

/** Whether nothing is left of a process group; waits a moment for its processes to end. */
async function isGone(group, stage) {
  const limit = performance.now() + endLimitMs(stage);
  while (isAlive(group)) {
    if (performance.now() > limit) return false;
    await sleep(50);
  }
  return true;
}

function endLimitMs({ endLimitSeconds = END_LIMIT_SECONDS }) {
  return endLimitSeconds * 1000;
}

function killGroup(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function isAlive(group) {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  return !isAllZombies(group);
}

/** Without an init process, as in many containers, ended processes stay listed. They do no harm. */
function isAllZombies(group) {
  if (!existsSync('/proc/self/stat')) return false;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .every((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , itsGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(itsGroup) !== group || state === 'Z' || state === 'X';
      } catch {
        return true;
      }
    });
}

function count(stage, resultsFile, trouble) {
  if (!stage.jest) return { ...numbers(trouble === '' ? 1 : 0, trouble === '' ? 0 : 1), trouble };
  const results = readResults(resultsFile);
  if (results === undefined) return { ...numbers(0, 1), trouble: trouble || 'wrote no results' };
  // A file that cannot even be loaded has no tests to fail.
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  // Failed tests explain the exit code of Jest; nothing else does.
  const explained = failed > 0 && trouble === 'ended with exit code 1' ? '' : trouble;
  const skipped = results.numPendingTests + results.numTodoTests;
  const all = numbers(results.numPassedTests, failed + (explained === '' ? 0 : 1), skipped);
  return { ...all, trouble: explained, results };
}

function numbers(passed, failed, skipped = 0) {
  return { passed, failed, skipped };
}

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
