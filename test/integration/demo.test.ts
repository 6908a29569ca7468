import { afterAll, describe, expect, it } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../support/child.js';
import type { Exit } from '../support/child.js';
import { until } from '../support/promises.js';
import { root } from '../tools/source.js';
import { tellEverywhere } from './workers/story.js';

/** It takes 20 s where nothing else runs. */
const LIMIT_MS = 120_000;
const ARGUMENT_LIMIT_MS = 20_000;

const NODE = ['--import', './test/integration/loader.js', 'examples/demo/main.ts'];
const EXPECTED = [
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
const LATE_WRITE = 'pause: its late write';

/** Concurrent tests begin before `beforeAll`. */
const folder = mkdtempSync(join(tmpdir(), 'demo-test-'));
const groups: number[] = [];

afterAll(async () => {
  for (const group of groups) if (isThere(group)) process.kill(-group, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

interface Demo {
  readonly child: Child;
  /** All of its processes belong to this group. */
  readonly group: number;
  readonly exited: Promise<Exit>;
}

/** Starts it in a process group of its own, as a terminal does. */
async function start(
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
    await until('the end of its processes', () => !isThere(group), 10_000);
    expect(await readdir(temporary)).toEqual([]);
    return exit;
  });
  return { child, group, exited };
}

const demo = (...args: string[]): Promise<Demo> => start(process.execPath, [...NODE, ...args]);

function isThere(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** The table at its end: whether each was met. */
function tableOf(stdout: string): Map<string, boolean> {
  const lines = [...stdout.matchAll(/^ {2}([✓✗]) {2}(.+?) {2}/gm)];
  return new Map(lines.map(([, mark, what = '']) => [what, mark === '✓']));
}

describe('npm start', () => {
  it.concurrent(
    'meets every expectation on the embedded server, and asks nothing of any other',
    async () => {
      const bystander = await startLeaseServer();
      const file = join(folder, 'bystander');
      await writeFile(file, bystander.kubeConfigYaml());
      const { exited } = await start('npm', ['start', '--silent'], { KUBECONFIG: file });
      const { code, stdout, stderr } = await exited;
      const asked = bystander.requests.total;
      await bystander.close();
      expect([...tableOf(stdout)]).toEqual(EXPECTED.map((what) => [what, true]));
      expect({ code, asked }).toEqual({ code: 0, asked: 0 });
      expect(stderr.split('\n').filter((line) => !/^(npm warn .*)?$/.test(line))).toEqual([]);
      expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
      expect(stdout).not.toContain('\x1b');
    },
    LIMIT_MS,
  );

  it.concurrent(
    'shows with a store that ignores tokens what they are for, and fails',
    async () => {
      const { code, stdout } = await (await demo('--unguarded')).exited;
      const met = EXPECTED.map((what) => [what, what !== LATE_WRITE]);
      expect([...tableOf(stdout)]).toEqual(met);
      expect(stdout).toContain('1 of 11 expectations were NOT met');
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );

  it.concurrent.each([
    ['Ctrl-C, a paused one too', 'SIGINT', 'PAUSED', 2, 130],
    ['SIGTERM, as it starts', 'SIGTERM', 'starts', 3, 143],
  ] as const)(
    'ends all its processes on %s',
    async (_, signal, moment, left, code) => {
      const { child, group, exited } = await demo();
      await child.said(moment, 60_000);
      // To all of them, as a terminal does it.
      process.kill(-group, signal);
      const exit = await exited;
      expect(exit.stdout).toContain(`interrupted (${signal}): ending ${left} processes`);
      expect(exit).toMatchObject({ code, stderr: '' });
    },
    LIMIT_MS,
  );

  it.concurrent(
    'ends all its processes when one of them fails, and says so',
    async () => {
      const { child, exited } = await demo();
      await child.said('waits: it sees', 60_000);
      process.kill(child.findPid(/processes (\d+),/), 'SIGKILL');
      const { code, stdout } = await exited;
      expect(stdout).toContain('The demo cannot go on: pod-a ended by itself (SIGKILL)');
      const table = tableOf(stdout);
      expect(table.get('the demo gets to its end')).toBe(false);
      expect(table.get('afterwards: processes left behind')).toBe(true);
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );
});

tellEverywhere(
  'The demo meets every expectation on a cluster that was named for it, and leaves nothing there',
  LIMIT_MS,
  async ({ cluster }) => {
    const { name: namespace, leases } = await cluster.newNamespace();
    const context = cluster.kubeConfig.getCurrentContext();
    const where = ['--kubeconfig', cluster.kubeConfigFile, '--context', context];
    const { exited } = await demo(...where, '--namespace', namespace);
    const { code, stdout } = await exited;
    const expected = [...EXPECTED, 'afterwards: Leases left behind'];
    expect([...tableOf(stdout)]).toEqual(expected.map((what) => [what, true]));
    expect(code).toBe(0);
    expect(stdout).toContain(`${cluster.server}, context ${context}, namespace ${namespace}`);
    for (const path of [leases, cluster.leases]) {
      expect((await cluster.request('GET', path)).body.items).toEqual([]);
    }
  },
);

describe('what the demo is told', () => {
  const run = async (...args: string[]): Promise<Exit> => (await demo(...args)).exited;

  it(
    'says what it can be told',
    async () => {
      const { code, stdout } = await run('--help');
      expect(code).toBe(0);
      for (const option of ['kubeconfig', 'context', 'namespace', 'unguarded']) {
        expect(stdout).toContain(`--${option}`);
      }
      expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
    },
    ARGUMENT_LIMIT_MS,
  );

  it.each([
    ['an unknown option', ['--kubconfig', 'x'], "Unknown option '--kubconfig'"],
    ['no option', ['x'], "Unexpected argument 'x'"],
    ['a cluster without a context', ['--kubeconfig', 'x'], '--kubeconfig needs --context'],
    ['a context without a file', ['--context', 'x'], '--context needs --kubeconfig'],
    ['a namespace without a file', ['--namespace', 'x'], '--namespace needs --kubeconfig'],
    ['an empty context', ['--kubeconfig=x', '--context='], '--context needs a value'],
    ['no such file', ['--kubeconfig', '/no/such/file', '--context', 'x'], '/no/such/file: ENOENT'],
  ])(
    'refuses %s',
    async (_, args, complaint) => {
      const { code, stdout, stderr } = await run(...args);
      expect(stderr).toContain(complaint);
      expect(stdout).not.toContain('starts');
      expect(code).toBe(2);
    },
    ARGUMENT_LIMIT_MS,
  );

  it(
    'refuses a context and a namespace that cannot be, before anything is written',
    async () => {
      const server = await startLeaseServer({ namespaces: ['default'] });
      const file = join(folder, 'named');
      await writeFile(file, server.kubeConfigYaml());
      const where = ['--kubeconfig', file, '--context'];
      const context = await run(...where, 'production');
      const syntax = await run(...where, 'testing', '--namespace', 'No_Such');
      const missing = await run(...where, 'testing', '--namespace', 'missing');
      const leases = server.leases.list();
      await server.close();
      expect(context).toMatchObject({ code: 2 });
      expect(context.stderr).toContain(`--context production: there is testing in ${file}`);
      expect(syntax).toMatchObject({ code: 2 });
      expect(syntax.stderr).toContain('--namespace');
      expect(missing).toMatchObject({ code: 1 });
      expect(missing.stdout).toContain('The demo cannot go on: ');
      expect(missing.stdout).toContain('missing');
      expect(leases).toEqual([]);
    },
    2 * ARGUMENT_LIMIT_MS,
  );
});
