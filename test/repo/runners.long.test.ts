// The projects that docs/testing.md describes, one for each test runner, with the package installed as it is packed.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../tools/docs/source.js';
import { pack, passed, testProject } from '../support/package.js';

const runners = [
  'jest-commonjs',
  'jest-esm',
  'jest-import',
  'node-test',
  'ts-jest-commonjs',
  'ts-jest-esm',
];
let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runners-test-'));
  ({ tarball } = await pack(folder));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

it('are all tested here', async () => {
  expect((await readdir(join(root, 'test/fixtures/runners'))).sort()).toEqual(runners);
});

it.each(runners)(
  '%s: its tests pass as the page sets them up',
  async (name) => {
    expect(await testProject(name, folder, tarball)).toEqual(passed);
  },
  600_000,
);
