// `npm run api:check` compares the reports with the source.
import { describe, expect, it } from '@jest/globals';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../tools/docs/source.js';

const folder = join(root, 'etc/api');
const names = ['sync', 'opentelemetry', 'prometheus', 'testing'].map((name) => `${name}.report.md`);

describe('the report of the public API', () => {
  it('has a file for each entry point of the package', async () => {
    const text = await readFile(join(root, 'package.json'), 'utf8');
    const { exports } = JSON.parse(text) as { exports: object };
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    const expected = entries.map((entry) => (entry === '.' ? 'sync' : entry.slice(2)));
    expect(expected.map((name) => `${name}.report.md`).sort()).toEqual([...names].sort());
    expect((await readdir(folder)).sort()).toEqual([...names].sort());
  });

  describe.each(names)('%s', (name) => {
    const report = (): Promise<string> => readFile(join(folder, name), 'utf8');

    it('names nothing that a user cannot import', async () => {
      expect((await report()).match(/\(ae-forgotten-export\).*/g)).toBeNull();
    });

    it('needs no types of the Kubernetes client, whose versions differ', async () => {
      expect(await report()).not.toContain('@kubernetes/');
    });
  });
});
