import { describe, expect, it } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXPECTED, LIMIT_MS, expectTable, folder, start } from '../integration/demo-process.js';

describe('npm start', () => {
  it(
    'meets every expectation on the embedded server, and asks nothing of any other',
    async () => {
      const bystander = await startLeaseServer();
      const file = join(folder, 'bystander');
      await writeFile(file, bystander.kubeConfigYaml());
      const started = start('npm', ['start', '--silent'], { KUBECONFIG: file });
      const met = EXPECTED.map((what) => [what, true] as const);
      const { stdout, stderr } = await expectTable(started, met);
      const asked = bystander.requests.total;
      await bystander.close();
      expect(asked).toBe(0);
      expect(stderr.split('\n').filter((line) => !/^(npm warn .*)?$/.test(line))).toEqual([]);
      expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
      expect(stdout).not.toContain('\x1b');
    },
    LIMIT_MS,
  );
});
