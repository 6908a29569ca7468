// The demo as a program: started in a process group of its own, and whatever it leaves is found.
import { afterAll, expect } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../support/child.js';
import type { Exit } from '../support/child.js';
import { until } from '../support/promises.js';
import { root } from '../../tools/docs/source.js';
import { WorkerPool } from '../../tools/harness/processes/pool.js';
import { now } from '../../tools/harness/processes/time.js';
import { Witness } from '../../tools/harness/witness.js';

/** It takes 20 s where nothing else runs. */
export const LIMIT_MS = 300_000;

const NODE = ['--import', './tools/loader.js', 'demo/main.ts'];

/** What it expects, in the order of its table. */
export const EXPECTED = [
  'leadership: how many of three lead',
  'hand-off: release to next leader',
  'crash: last renewal to next leader',
  'pause: isLeader() on waking up',
  'pause: the signal of its work',
  'pause: its late write',
  'election: two leaders at one moment',
  'election: tokens of its leaders',
  'lock: number after 5 × 10 additions',
  'lock: tokens greater than the last',
  'afterwards: processes left behind',
];

export const folder = mkdtempSync(join(tmpdir(), 'demo-test-'));
const groups: number[] = [];

afterAll(async () => {
  for (const group of groups) if (isThere(group)) process.kill(-group, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

export interface Demo {
  readonly child: Child;
  /** All of its processes belong to this group. */
  readonly group: number;
  readonly exited: Promise<Exit>;
}

/** Starts it in a process group of its own, as a terminal does. */
export async function start(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Demo> {
  const temporary = await mkdtemp(join(folder, 'tmp-'));
  const process_ = spawn(program, args, {
    ...{ cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: temporary, ...env },
  });
  const group = process_.pid ?? 0;
  groups.push(group);
  const child = new Child(process_);
  const exited = child.exited.then(async (exit) => {
    await until('the end of its processes', () => !isThere(group), 60_000);
    expect(await readdir(temporary)).toEqual([]);
    return exit;
  });
  return { child, group, exited };
}

export const demo = (...args: string[]): Promise<Demo> =>
  start(process.execPath, [...NODE, ...args]);

function isThere(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** What depends on the clock: on a machine that stalls, the demo may rightly say that it was not met. */
const TIMED = EXPECTED.slice(0, 3);
/** A lease of the demo has little more than that to spare. */
const STALL_MS = 500;

/** Runs a demo to its end: it meets what is expected and no more, but for bounds of time on a machine that stalled. */
export async function expectTable(
  started: Promise<Demo>,
  expected: readonly (readonly [what: string, isMet: boolean])[],
): Promise<Exit> {
  const pool = new WorkerPool();
  try {
    const witness = await Witness.ofMachine(pool);
    const from = now();
    const exit = await (await started).exited;
    const table = tableOf(exit.stdout);
    const late = TIMED.filter((what) => table.get(what) === false);
    const stalledMs = await witness.stalledMs(from, now());
    if (late.length > 0 && stalledMs >= STALL_MS) {
      for (const what of late) witness.annul(`${what}; the machine stalled for ${stalledMs} ms`);
      for (const what of late) table.set(what, true);
    } else witness.hold();
    witness.close();
    if (table.get('the demo gets to its end') === false) throw new Error(exit.stdout);
    expect([...table]).toEqual(expected);
    const isAsExpected = late.length === 0 && expected.every(([, isMet]) => isMet);
    expect(exit.code).toBe(isAsExpected ? 0 : 1);
    return exit;
  } finally {
    await pool.killAll();
  }
}

/** The table at its end: whether each was met. */
export function tableOf(stdout: string): Map<string, boolean> {
  const lines = [...stdout.matchAll(/^ {2}([✓✗]) {2}(.+?) {2}/gm)];
  return new Map(lines.map(([, mark, what = '']) => [what, mark === '✓']));
}
