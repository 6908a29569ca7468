import { describe, expect, it } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exit } from '../../support/child.js';
import { demo, folder } from '../demo-process.js';

const ARGUMENT_LIMIT_MS = 120_000;

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
