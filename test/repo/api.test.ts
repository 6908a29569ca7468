import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../tools/docs/source.js';

const committed = join(root, 'etc/api');

describe('the public API', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'api-test-'));
    await promisify(execFile)(process.execPath, [join(root, 'tools/api-report.js'), folder]);
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const names = ['sync', 'opentelemetry', 'prometheus', 'testing'];
  describe.each(names.map((name) => `${name}.report.md`))('%s', (report) => {
    const actual = (): Promise<string> => readFile(join(folder, report), 'utf8');

    it('is what the source says (after a wanted change: npm run api:update)', async () => {
      expect(await actual()).toBe(await readFile(join(committed, report), 'utf8'));
    });

    it('names nothing that a user cannot import', async () => {
      expect((await actual()).match(/\(ae-forgotten-export\).*/g)).toBeNull();
    });

    it('needs no types of the Kubernetes client, whose versions differ', async () => {
      expect(await actual()).not.toContain('@kubernetes/');
    });
  });
});
