// The command line as a process of its own, on every cluster there is.
import { beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { root } from '../../../tools/docs/source.js';
import { Cli, mainFile, shell } from '../command-line.js';
import { describeEachCluster } from '../../support/each-cluster.js';

const LIMIT_MS = 300_000;

beforeAll(mainFile);

describeEachCluster('metaparticle-sync lock', (cluster) => {
  it(
    'runs the command with its token and name, ends with its exit code, and releases',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
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
      await using cli = await Cli.open(cluster().kubeConfigFile);
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
      expect(atOnce.stderr).toMatch(/taken is held by "/);
      expect(later).toMatchObject({ code: 9, stdout: '' });
      expect(later.stderr).toContain('not acquired within');
      expect(waits).toMatchObject({ code: 0, stdout: 'yes\n' });
    },
    LIMIT_MS,
  );

  it(
    'passes signals on to all that the command started, once, and tells how it ended',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
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
      await using cli = await Cli.open(cluster().kubeConfigFile);
      const holder = cli.start('lock', 'called-off', ...shell('echo in; exec sleep 30'));
      await holder.said('in');
      const waiting = cli.start('lock', 'called-off', '--verbose', ...shell('echo no'));
      await waiting.told('acquiring lock');
      expect(await waiting.stop()).toMatchObject({ code: 128 + 15, stdout: '' });
      const { body } = await cluster().request('GET', `${cluster().leases}/called-off`);
      expect(body.spec?.['holderIdentity']).not.toBe('');
      expect(holder.isAlive).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    'tells what is wrong with a command line, a configuration, a command',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
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
      await using cli = await Cli.open(cluster().kubeConfigFile);
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
      await using cli = await Cli.open(cluster().kubeConfigFile);
      const path = `${cluster().leases}/again`;
      const work = `trap 'exit 0' TERM; trap 'exit 5' USR1; echo led $METAPARTICLE_SYNC_TOKEN; while :; do sleep 0.05; done`;
      const leader = cli.start('elect', 'again', '-v', ...shell(work));
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
