// Whether `npm test` is green wherever it runs: `npm run stability [-- OPTION…]`. Each run clones what is committed
// into an empty folder, installs it with `npm ci`, and runs `npm test` under one condition. At the end comes a table
// of all runs. Exit code 0 when all of them were green.
//
//   --only CONDITION   only this condition; may be given several times
//   --runs N           how often, instead of the numbers below
//   --fresh-cache      an empty npm cache and an empty cache folder for each run: nothing is built or downloaded yet
//   --script NAME      another script than `test`
//   --keep             the clones are not removed
//   --list             shows the conditions
import { execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @typedef {object} Condition
 * @property {string} what
 * @property {number} runs
 * @property {() => Promise<Surroundings> | Surroundings} prepare throws {@link NotHere} where it cannot be had
 *
 * @typedef {object} Surroundings
 * @property {Readonly<Record<string, string>>} [env] added to the environment of `npm test`
 * @property {readonly string[]} [wrapper] a command that runs the command that follows it
 * @property {(pid: number) => void} [place] gets the process of `npm test` before it does anything
 * @property {() => Promise<void> | void} [end]
 */

/** The reason is shown in the table. */
class NotHere extends Error {}

/** @type {Readonly<Record<string, Condition>>} */
const conditions = {
  idle: { what: 'nothing else runs', runs: 4, prepare: () => ({}) },
  loops: { what: 'beside four busy loops', runs: 2, prepare: () => busyLoops(4) },
  'half-core': { what: 'in a cgroup of half a core', runs: 2, prepare: () => cgroup(0.5) },
  locale: {
    what: 'another time zone and locale',
    runs: 1,
    prepare: () => ({
      env: { TZ: 'Pacific/Apia', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', LANGUAGE: 'tr' },
    }),
  },
  offline: { what: 'without a network after npm ci', runs: 1, prepare: noNetwork },
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: Object.keys(conditions) },
    runs: { type: 'string' },
    'fresh-cache': { type: 'boolean', default: false },
    script: { type: 'string', default: 'test' },
    keep: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const HEAD = {
  title: 'condition',
  install: 'npm ci',
  test: `npm ${values.script}`,
  verdict: 'verdict',
};

/** What is to be ended when this process is. */
const open = new Set();
let isInterrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    isInterrupted = true;
    void endAll().finally(() => process.kill(process.pid, signal));
  });
}

if (values.list) {
  for (const [name, { what, runs }] of Object.entries(conditions)) {
    console.log(`${name.padEnd(12)}${what}, ${runs} times`);
  }
} else {
  try {
    process.exitCode = (await runAll()) ? 0 : 1;
  } finally {
    await endAll();
  }
}

async function runAll() {
  const rows = [];
  for (const name of values.only) {
    if (!Object.hasOwn(conditions, name)) throw new Error(`no such condition: ${name}; see --list`);
    const condition = conditions[name];
    const runs = Number(values.runs ?? condition.runs);
    if (!Number.isInteger(runs) || runs < 1) {
      throw new Error(`--runs takes a whole number from 1; got ${values.runs}`);
    }
    for (let run = 1; run <= runs && !isInterrupted; run++) {
      const title = `${condition.what} (${run} of ${runs})`;
      console.log(`\n=== ${title}, ${new Date().toISOString()}`);
      const row = { title, ...(await runUnder(condition)) };
      rows.push(row);
      console.log(lineOf(row));
    }
  }
  console.log(`\n${lineOf(HEAD)}\n${rows.map(lineOf).join('\n')}`);
  const verdicts = rows.map(({ isGreen }) => isGreen);
  return !isInterrupted && verdicts.includes(true) && !verdicts.includes(false);
}

function lineOf({ title, install = '', test = '', verdict }) {
  return [title.padEnd(42), install.padStart(8), test.padStart(9), `  ${verdict}`].join(' ');
}

/** @param {Condition} condition */
async function runUnder({ prepare }) {
  const folder = mkdtempSync(join(tmpdir(), 'stability-'));
  const log = `${folder}.log`;
  const env = environment(folder);
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  if (!values.keep) open.add(remove);
  let surroundings = {};
  try {
    const clone = join(folder, 'clone');
    execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, clone], { stdio: 'inherit' });
    const install = await timed(['npm', 'ci', '--no-audit', '--no-fund'], { cwd: clone, env, log });
    if (install.code !== 0) {
      return { isGreen: false, install: install.seconds, verdict: `npm ci failed: see ${log}` };
    }
    surroundings = await prepare();
    if (surroundings.end !== undefined) open.add(surroundings.end);
    const { wrapper = [], place } = surroundings;
    const command = [...wrapper, 'npm', '--silent', 'run', values.script];
    const test = await timed(command, {
      ...{ cwd: clone, env: { ...env, ...surroundings.env }, log, place },
    });
    const isGreen = test.code === 0;
    const verdict = isGreen ? test.lastLine : `${test.lastLine}, exit ${test.code}: see ${log}`;
    return { isGreen, install: install.seconds, test: test.seconds, verdict };
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    return { verdict: `left out: ${error.message}` };
  } finally {
    await close(surroundings.end);
    if (!values.keep) await close(remove);
  }
}

/** What a terminal has, without what `npm run` added for this process. */
function environment(folder) {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$)/.test(name));
  const env = { ...Object.fromEntries(own), INIT_CWD: undefined };
  if (!values['fresh-cache']) return env;
  const cache = join(folder, 'cache');
  return { ...env, XDG_CACHE_HOME: cache, npm_config_cache: join(cache, 'npm') };
}

/** Runs a command to its end; its output goes to the log. */
async function timed([program, ...args], { cwd, env, log, place }) {
  const output = createWriteStream(log, { flags: 'a' });
  if (isInterrupted) throw new Error('interrupted');
  const start = performance.now();
  // It waits for a line before it begins, so that it is in its place by then.
  const gate = ['-c', 'read -r _ && exec "$@"', 'gate', program, ...args];
  const child = spawn('sh', gate, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const end = () => endCommand(child);
  open.add(end);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output.write(chunk);
      if (stream === child.stdout) text = (text + chunk).slice(-4000);
    });
  }
  place?.(child.pid);
  child.stdin.end('\n');
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (status, signal) => resolve(status ?? signal));
  });
  await close(end);
  await new Promise((resolve) => output.end(resolve));
  const seconds = `${((performance.now() - start) / 1000).toFixed(0)} s`;
  return { code, seconds, lastLine: text.trimEnd().split('\n').at(-1) };
}

function busyLoops(count) {
  const loops = Array.from({ length: count }, () => {
    return spawn('sh', ['-c', 'while :; do :; done'], { detached: true, stdio: 'ignore' });
  });
  return { end: () => loops.forEach(({ pid }) => endGroup(pid)) };
}

/** A group of its own with so much time of the processor: by cgroup version 2 where it has it, else by version 1. */
function cgroup(cores) {
  const period = 100_000;
  const quota = period * cores;
  const parent = '/sys/fs/cgroup';
  const isVersion2 = existsSync(`${parent}/cgroup.controllers`);
  const hierarchy = isVersion2 ? parent : `${parent}/cpu`;
  const folder = join(hierarchy, `stability-${process.pid}`);
  try {
    accessSync(hierarchy, constants.W_OK);
    if (isVersion2) writeFileSync(`${parent}/cgroup.subtree_control`, '+cpu');
    mkdirSync(folder);
  } catch (error) {
    throw new NotHere(`no cgroup can be made here (${error.message})`);
  }
  const end = () => endCgroup(folder);
  try {
    if (isVersion2) writeFileSync(`${folder}/cpu.max`, `${quota} ${period}`);
    else {
      writeFileSync(`${folder}/cpu.cfs_period_us`, `${period}`);
      writeFileSync(`${folder}/cpu.cfs_quota_us`, `${quota}`);
    }
  } catch (error) {
    rmdirSync(folder);
    throw new NotHere(`the processor cannot be limited here (${error.message})`);
  }
  return { place: (pid) => writeFileSync(`${folder}/cgroup.procs`, `${pid}`), end };
}

/** Only an empty one can be removed. */
async function endCgroup(folder) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const pids = readFileSync(`${folder}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
    for (const pid of pids) endProcess(Number(pid), 'SIGKILL');
    try {
      rmdirSync(folder);
      return;
    } catch {
      await sleep(100);
    }
  }
  console.error(`${folder} cannot be removed`);
}

/** A network of its own with nothing but the loopback; where that is not allowed, a proxy that is not there. */
function noNetwork() {
  const up = 'ip link set lo up && exec "$@"';
  for (const wrapper of [
    ['unshare', '--net', 'sh', '-c', up, 'offline'],
    ['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', up, 'offline'],
  ]) {
    try {
      execFileSync(wrapper[0], [...wrapper.slice(1), 'true'], { stdio: 'ignore' });
      return { wrapper };
    } catch {
      // The next way.
    }
  }
  const nowhere = 'http://127.0.0.1:9';
  console.log('no network namespace can be made here: a proxy that is not there takes its place');
  return {
    env: {
      ...{ HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, http_proxy: nowhere, https_proxy: nowhere },
      ...{ npm_config_registry: nowhere, NO_PROXY: 'localhost,127.0.0.1,::1' },
    },
  };
}

async function close(end) {
  if (end === undefined || !open.delete(end)) return;
  await end();
}

async function endAll() {
  for (const end of [...open].reverse()) await close(end);
}

/** A test run ends what it started when it is asked to end. */
async function endCommand({ pid }) {
  endProcess(-pid, 'SIGTERM');
  for (let attempt = 0; attempt < 100 && isAlive(-pid); attempt++) await sleep(100);
  endGroup(pid);
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function endGroup(pid) {
  if (pid !== undefined) endProcess(-pid, 'SIGKILL');
}

function endProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
