// How a command is kept to its lease: what it starts, what becomes of it when the command line dies, what it is told.
// By order and by facts of the system: nothing here asks how long something took.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { LeaseServer } from '@metaparticle/sync/testing';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until.js';
import { Cli, mainFile, shell } from '../command-line.js';

const LIMIT_MS = 300_000;
/** A renewal a second. */
const OFTEN = ['--lease-duration', '5s', '--renew-interval', '1s'];

let api: LeaseServer;
let folder: string;
let kubeConfigFile: string;

beforeAll(async () => {
  await mainFile();
  api = await startLeaseServer();
  folder = mkdtempSync(join(tmpdir(), 'cli-command-'));
  kubeConfigFile = join(folder, 'kubeconfig');
  writeFileSync(kubeConfigFile, api.kubeConfigYaml());
});

afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

describe('a command that is a wrapper', () => {
  it.each(['lock', 'elect'])(
    'under %s keeps the lease until what it started has wound down, though it dies at once itself',
    async (command) => {
      await using cli = await Cli.open(kubeConfigFile);
      const file = join(folder, `${command}.log`);
      const work = [
        `trap 'echo asked >> ${file}; sleep 0.3; echo done >> ${file}; exit' TERM`,
        `echo in; while :; do sleep 0.1; done`,
      ].join('; ');
      const first = cli.start(command, `wrapper-${command}`, ...shell(`sh -c "${work}"; true`));
      await first.said('in');
      const next = cli.run(command, `wrapper-${command}`, ...shell(`echo next >> ${file}`));
      await first.stop();
      expect((await next).code).toBe(0);
      expect(linesOf(file)).toEqual(['asked', 'done', 'next']);
    },
    LIMIT_MS,
  );

  it(
    'that ends by itself ends the lease, whatever it leaves in the background',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const leaves = shell('sleep 30 >/dev/null 2>&1 & echo $!');
      const { code, stdout } = await cli.run('lock', 'leaves', ...leaves);
      expect(code).toBe(0);
      expect(isAlive(Number(stdout))).toBe(true);
      process.kill(Number(stdout), 'SIGKILL');
      expect(api.leases.get('default', 'leaves')?.spec.holderIdentity).toBe('');
    },
    LIMIT_MS,
  );

  it(
    'is asked to end once, however often the command line is asked',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const trap = `trap 'echo asked; sleep 0.5; echo done; exit' TERM; echo in; while :; do sleep 0.1; done`;
      const child = cli.start('lock', 'once', ...shell(trap));
      await child.said('in');
      child.signal('SIGTERM');
      await child.said('asked');
      child.signal('SIGTERM');
      expect((await child.exited).stdout).toBe('in\nasked\ndone\n');
    },
    LIMIT_MS,
  );
});

describe('a command whose command line dies', () => {
  it(
    'is killed with all that it started when the command line was killed',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const holder = cli.start('lock', 'killed', ...shell('sleep 60 & echo $$ $! in; wait'));
      await holder.said('in');
      const pids = holder.stdout.split(' ').slice(0, 2).map(Number);
      expect(pids.map(isAlive)).toEqual([true, true]);
      holder.signal('SIGKILL');
      await until('the group is gone', () => !pids.some(isAlive), LIMIT_MS);
    },
    LIMIT_MS,
  );

  it(
    'runs on under its lease when nobody reads what the command line tells',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const holder = cli.start('lock', 'unread', ...OFTEN, ...shell('echo in; exec sleep 60'));
      await holder.said('in');
      holder.closeStderr();
      api.leases.edit('default', 'unread', ({ metadata }) => {
        metadata.labels = { edited: 'by-hand' };
      });
      const renewed = (): string => String(api.leases.get('default', 'unread')?.spec.renewTime);
      for (let n = 0; n < 2; n++) {
        const before = renewed();
        await until('a renewal', () => renewed() > before, LIMIT_MS);
      }
      expect(holder.isAlive).toBe(true);
      await holder.stop();
    },
    LIMIT_MS,
  );
});

describe('what the command line says', () => {
  it(
    'ends quietly when its reader has enough',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const children = [['status', '-o', 'json'], ['rbac'], ['--help']].map((args) => {
        const child = cli.start(...args);
        child.closeStdout();
        return child.exited;
      });
      for (const end of await Promise.all(children)) {
        expect(end).toMatchObject({ code: 0, stderr: '' });
      }
    },
    LIMIT_MS,
  );

  it(
    'shows what comes from the cluster without letting it speak to the terminal',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const holderIdentity = '\u001b]0;title\u0007\u001b[2Jx\u202ey\nz\u007f\u009b';
      api.leases.create({
        metadata: { name: 'escape', namespace: 'foreign' },
        spec: { holderIdentity },
      });
      const [table, json] = await Promise.all([
        cli.run('status', '-n', 'foreign'),
        cli.run('status', '-n', 'foreign', '-o', 'json'),
      ]);
      expect(table.stdout).toContain(
        '\\u001b]0;title\\u0007\\u001b[2Jx\\u202ey\\u000az\\u007f\\u009b',
      );
      expect(table.stdout).not.toContain('\u001b');
      expect(JSON.parse(json.stdout)).toMatchObject({ holder: holderIdentity });
    },
    LIMIT_MS,
  );

  it(
    'is one JSON object a line, errors included',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const [status, doctor, failed] = await Promise.all([
        cli.run('status', '-n', 'foreign', '-o', 'json'),
        cli.run('doctor', '--read-only', '-o', 'json'),
        cli.run('doctor', '--kubeconfig', '/nowhere', '-o', 'json'),
      ]);
      for (const { stdout } of [status, doctor, failed]) {
        for (const line of stdout.trimEnd().split('\n')) JSON.parse(line);
      }
      expect(JSON.parse(failed.stdout)).toMatchObject({
        error: { code: 'ERR_NO_CLUSTER_CONFIG' },
      });
      expect(failed.code).toBe(78);
    },
    LIMIT_MS,
  );

  it(
    'names flags, and what to use instead of a wait of no length',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const [short, none] = await Promise.all([
        cli.run('lock', 'x', '--renew-interval', '10s', '--', 'true'),
        cli.run('lock', 'x', '--timeout', '0s', '--', 'true'),
      ]);
      expect(short.code).toBe(64);
      expect(short.stderr).toContain('--renew-interval: must leave room for a missed renewal');
      expect(short.stderr).not.toMatch(/[a-z]Ms\b/);
      expect(none.code).toBe(64);
      expect(none.stderr).toContain('To try without waiting there is --no-wait.');
    },
    LIMIT_MS,
  );

  it(
    'names the process that holds it, when it does not wait',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const spec = { holderIdentity: 'pod-x', leaseDurationSeconds: 600 };
      api.leases.create({ metadata: { name: 'taken' }, spec });
      const atOnce = await cli.run('lock', 'taken', '--no-wait', '--', 'true');
      expect(atOnce).toMatchObject({ code: 1, stdout: '' });
      expect(atOnce.stderr).toBe('metaparticle-sync: lock default/taken is held by "pod-x"\n');
    },
    LIMIT_MS,
  );

  it(
    'is 69 when no API server answered, whatever exit code a conflict has',
    async () => {
      const nowhere = join(folder, 'nowhere');
      const server = await startLeaseServer();
      writeFileSync(nowhere, server.kubeConfigYaml());
      await server.close();
      await using cli = await Cli.open(nowhere);
      const args = ['lock', 'x', '--timeout', '1s', '--conflict-exit-code', '0', '--', 'true'];
      expect(await cli.run(...args)).toMatchObject({ code: 69 });
    },
    LIMIT_MS,
  );
});

describe('--foreground', () => {
  it(
    'leaves the command in the process group of the command line',
    async () => {
      await using cli = await Cli.open(kubeConfigFile);
      const groups = shell('ps -o pgid= -p $$; ps -o pgid= -p $PPID');
      const [apart, together] = await Promise.all([
        cli.run('lock', 'apart', ...groups),
        cli.run('lock', 'together', '--foreground', ...groups),
      ]);
      expect(new Set(apart.stdout.trim().split(/\s+/)).size).toBe(2);
      expect(new Set(together.stdout.trim().split(/\s+/)).size).toBe(1);
    },
    LIMIT_MS,
  );
});
