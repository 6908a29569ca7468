// The command line as a process of its own, on every cluster there is.
import { expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../../../tools/docs/source.js';
import { Cable } from './cable.js';
import { Cli, shell } from '../command-line.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';

const SHORT = ['--lease-duration', '5s', '--renew-interval', '1s', '--margin', '1500ms'];
const MIDDLING = ['--lease-duration', '8s', '--renew-interval', '1s', '--margin', '1500ms'];
const LIMIT_MS = 60_000;

describeEachCluster('metaparticle-sync lock', (cluster) => {
  it(
    'runs the command with its token and name, ends with its exit code, and releases',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const told = shell('echo $METAPARTICLE_SYNC_NAMESPACE $METAPARTICLE_SYNC_NAME; exit 3');
      const first = await cli.run('lock', 'report', ...told);
      expect(first).toMatchObject({ code: 3, stdout: `${cluster().namespace} report\n` });
      const token = shell('echo $METAPARTICLE_SYNC_TOKEN $METAPARTICLE_SYNC_IDENTITY');
      const again = await cli.run('lock', 'report', '--no-wait', '--identity', 'me', ...token);
      const once = await cli.run('lock', 'report', '--no-wait', ...token);
      expect(again.stdout).toMatch(/^\d+ me\n$/);
      expect(parseInt(once.stdout)).toBeGreaterThan(parseInt(again.stdout));
      const { body } = await cluster().request('GET', `${cluster().leases}/report`);
      expect(body.spec).toMatchObject({ holderIdentity: '' });
    },
    LIMIT_MS,
  );

  it(
    'gives up at once, or after a time, with the exit code that was asked for; and waits',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const holder = cli.start('lock', 'taken', ...shell('echo in; exec sleep 50'));
      await holder.said('in');
      const waiting = cli.run('lock', 'taken', '--timeout', '50s', ...shell('echo yes'));
      const [atOnce, later] = await Promise.all([
        cli.run('lock', 'taken', '--no-wait', ...shell('echo no')),
        cli.run('lock', 'taken', '--timeout', '500ms', '-E', '9', ...shell('echo no')),
      ]);
      await holder.stop();
      const waits = await waiting;
      expect(atOnce).toMatchObject({ code: 1, stdout: '' });
      expect(atOnce.stderr).toContain('taken is held by somebody else');
      expect(later).toMatchObject({ code: 9, stdout: '' });
      expect(later.stderr).toContain('not acquired within');
      expect(waits).toMatchObject({ code: 0, stdout: 'yes\n' });
    },
    LIMIT_MS,
  );

  it(
    'passes signals on to all that the command started, once, and tells how it ended',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const trap = `trap 'echo term; exit 7' TERM; trap 'echo usr1' USR1; echo in; while :; do sleep 0.1; done`;
      const trapped = cli.start('lock', 'signals', ...shell(trap));
      await trapped.said('in');
      trapped.signal('SIGUSR1');
      await trapped.said('usr1');
      expect(await trapped.stop()).toMatchObject({ code: 7, stdout: 'in\nusr1\nterm\n' });
      const plain = cli.start('lock', 'signals', ...shell('echo in; exec sleep 30'));
      await plain.said('in');
      expect(await plain.stop()).toMatchObject({ code: 128 + 15 });
    },
    LIMIT_MS,
  );

  it(
    'is called off by a signal while it waits, and leaves the lock to its holder',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const holder = cli.start('lock', 'called-off', ...shell('echo in; exec sleep 30'));
      await holder.said('in');
      const waiting = cli.start('lock', 'called-off', '--verbose', ...shell('echo no'));
      await waiting.told('is asked for');
      expect(await waiting.stop()).toMatchObject({ code: 128 + 15, stdout: '' });
      const { body } = await cluster().request('GET', `${cluster().leases}/called-off`);
      expect(body.spec?.['holderIdentity']).not.toBe('');
      expect(holder.isAlive).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    'a command that ignores SIGTERM is dead before anyone else may hold the lock',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cli-'));
      await using cable = await Cable.to(cluster().server);
      const through = await cable.rewire(cluster().kubeConfigFile, cluster().server);
      await using cli = new Cli(through);
      const beats = join(folder, 'beats');
      const holder = cli.start('lock', 'stubborn', ...SHORT, ...shell(beating(beats)));
      await holder.said('in');
      const { renewTime } = await renewedTwice(cluster());
      cable.cut();
      const { code, stderr } = await holder.exited;
      const beatAt = await lastBeat(beats);
      const { body } = await cluster().request('GET', `${cluster().leases}/stubborn`);
      const lastRenewal = Date.parse(body.spec?.renewTime as string);
      expect(lastRenewal).toBeGreaterThanOrEqual(renewTime);
      expect(beatAt - lastRenewal).toBeLessThan(5_000);
      expect(beatAt - lastRenewal).toBeGreaterThan(2_500);
      expect({ code, stderr }).toMatchObject({ code: 75 });
      expect(stderr).toContain('the command ended with 137');
      await rm(folder, { recursive: true });
    },
    LIMIT_MS,
  );

  it(
    'who learns late of a loss has no time left to give: the command is dead at once',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cli-'));
      await using cli = new Cli(cluster().kubeConfigFile);
      const long = ['--lease-duration', '10s', '--margin', '4s', '--kill-after', '3500ms'];
      const file = join(folder, 'beats');
      const holder = cli.start('lock', 'late', ...long, ...shell(beating(file)));
      await holder.said('in');
      // The command goes on meanwhile: nothing tells a process that it is to be stopped.
      holder.signal('SIGSTOP');
      await sleep(10_500);
      holder.signal('SIGCONT');
      const awakeAt = Date.now();
      expect(await holder.exited).toMatchObject({ code: 75 });
      expect((await lastBeat(file)) - awakeAt).toBeLessThan(1_500);
      await rm(folder, { recursive: true });
    },
    LIMIT_MS,
  );

  it(
    'stops the command with itself, which goes on only under the lock',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cli-'));
      await using cli = new Cli(cluster().kubeConfigFile);
      const file = join(folder, 'beats');
      const holder = cli.start('lock', 'paused', ...MIDDLING, ...shell(beating(file)));
      await holder.said('in');
      holder.signal('SIGTSTP');
      const pausedAt = await whenQuiet(file);
      holder.signal('SIGCONT');
      await resumed(file, pausedAt);
      holder.signal('SIGTSTP');
      await sleep(8_500);
      const last = await lastBeat(file);
      holder.signal('SIGCONT');
      expect(await holder.exited).toMatchObject({ code: 75 });
      expect(await lastBeat(file)).toBe(last);
      await rm(folder, { recursive: true });
    },
    LIMIT_MS,
  );

  it(
    'tells what is wrong with a command line, a configuration, a command',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const ends = await Promise.all([
        cli.run('lock', 'x', '--kill-after', '3s', '--', 'true'),
        cli.run('lock', 'x', '--timeout', '30', '--', 'true'),
        cli.run('lock', 'x', '--no-wait', '--timeout', '3s', '--', 'true'),
        cli.run('lock', 'Not A Name', '--', 'true'),
        cli.run('lock', 'x', '--context', 'nowhere', '--', 'true'),
        cli.run('lock', 'x', '--kubeconfig', '/no/such/file', '--', 'true'),
        cli.run('lock', 'x', '--', '/no/such/command'),
        cli.run('lock', 'x', '--', join(root, 'package.json')),
        cli.run('--help'),
      ]);
      expect(ends.map(({ code }) => code)).toEqual([64, 64, 64, 64, 64, 78, 127, 126, 0]);
      expect(ends[0].stderr).toContain('at most margin − 500ms = 1500ms');
      for (const { code, stderr } of ends) expect(stderr === '').toBe(code === 0);
      for (const { stderr } of ends) expect(stderr).not.toMatch(/^ +at /m);
    },
    LIMIT_MS,
  );
});

describeEachCluster('metaparticle-sync elect', (cluster) => {
  it(
    'runs the command in one process at a time; the next one leads when the first ends',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const work = shell(`trap 'echo ended; exit 0' TERM; echo led; while :; do sleep 0.05; done`);
      const first = cli.start('elect', 'service', ...work);
      await first.said('led');
      const second = cli.start('elect', 'service', '-v', ...work);
      await second.told('campaigns');
      await second.told(/ leads/);
      expect(second.stdout).toBe('');
      expect(await first.stop()).toMatchObject({ code: 0, stdout: 'led\nended\n' });
      await second.said('led');
      expect(await second.stop()).toMatchObject({ code: 0 });
      const { body } = await cluster().request('GET', `${cluster().leases}/service`);
      expect(body.spec).toMatchObject({ holderIdentity: '' });
    },
    LIMIT_MS,
  );

  it(
    'starts the command again in the next term, and ends when the command does',
    async () => {
      await using cli = new Cli(cluster().kubeConfigFile);
      const path = `${cluster().leases}/again`;
      const work = `trap 'exit 0' TERM; trap 'exit 5' USR1; echo led $METAPARTICLE_SYNC_TOKEN; while :; do sleep 0.05; done`;
      const leader = cli.start('elect', 'again', '-v', ...SHORT, ...shell(work));
      await leader.said(/led \d+\n/);
      await cluster().request('DELETE', path);
      await leader.said(/led \d+\nled \d+\n/);
      const [one = 0, two = 0] = [...leader.stdout.matchAll(/\d+/g)].map(([token]) =>
        Number(token),
      );
      expect(two).toBeGreaterThan(one);
      leader.signal('SIGUSR1');
      const { code, stderr } = await leader.exited;
      expect(code).toBe(5);
      expect(stderr).toContain('again: stopped leading, lost');
    },
    LIMIT_MS,
  );
});

/**
 * A command that ignores SIGTERM and notes the time again and again; by a process that it starts, which outlives a
 * parent that is killed alone.
 */
function beating(file: string): string {
  return `trap '' TERM; (while :; do date +%s%3N >> ${file}; sleep 0.02; done) & echo in; wait; wait`;
}

/** 0 before the first. */
async function lastBeat(file: string): Promise<number> {
  return Number((await readFile(file, 'utf8').catch(() => '')).trim().split('\n').at(-1));
}

/** Resolves with the last beat when none followed for a while. */
async function whenQuiet(file: string): Promise<number> {
  for (let n = 0; n < 20; n++) {
    const beat = await lastBeat(file);
    await sleep(500);
    if ((await lastBeat(file)) === beat) return beat;
  }
  throw new Error('the command was not stopped');
}

async function resumed(file: string, pausedAt: number): Promise<void> {
  for (let n = 0; n < 200; n++) {
    if ((await lastBeat(file)) !== pausedAt) return;
    await sleep(50);
  }
  throw new Error('the command did not go on');
}

/** Waits until the lease was renewed since its acquisition. */
async function renewedTwice({ request, leases }: Cluster): Promise<{ renewTime: number }> {
  let seen: Record<string, unknown> = {};
  const isRenewed = async (): Promise<boolean> => {
    seen = (await request('GET', `${leases}/stubborn`)).body.spec ?? {};
    return seen['renewTime'] !== seen['acquireTime'];
  };
  while (!(await isRenewed())) await sleep(50);
  return { renewTime: Date.parse(seen['renewTime'] as string) };
}
