import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { startLeaseServer } from '../../src/testing/index.js';
import type { LeaseServer } from '../../src/testing/index.js';
import { root } from '../../tools/docs/source.js';
import { pack, passed, run, succeed, testProject } from '../support/package.js';

const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

let folder: string;
let tarball: string;
let packed: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-test-'));
  ({ tarball, packed } = await pack(folder));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed package', () => {
  it('holds the compiled source with its types, the pages, and the examples, nothing else', async () => {
    const names = await readdir(join(root, 'src'), { recursive: true });
    const sources = names.filter((name) => name.endsWith('.ts')).map((name) => name.slice(0, -3));
    const compiled = sources.flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`]);
    const docs = (await readdir(join(root, 'docs'))).map((name) => `docs/${name}`);
    expect(docs.filter((name) => !name.endsWith('.md'))).toEqual([]);
    const pages = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', ...docs];
    const examples = (
      await readdir(join(root, 'examples'), { recursive: true, withFileTypes: true })
    )
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name)));
    const others = packed.filter((path) => !path.startsWith('bench/'));
    expect(others).toEqual([...compiled, ...pages, ...examples].sort());
  });

  it('holds every picture that the README shows', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const shown = [...readme.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path]) => path);
    expect(shown.length).toBeGreaterThan(0);
    expect(packed.filter((path) => path.startsWith('bench/'))).toEqual(shown.sort());
  });

  it('mentions neither source maps nor the place where it was built', async () => {
    for (const path of packed) {
      const text = await readFile(join(root, path), 'utf8');
      expect({ path, mentions: text.includes('sourceMappingURL') || text.includes(root) }).toEqual({
        path,
        mentions: false,
      });
    }
  });

  it('pleases publint', async () => {
    await succeed(root, bin('publint'), ['run', tarball, '--strict']);
  });

  it('leads every kind of importer to types that fit', async () => {
    const profile = ['--profile', 'esm-only', '--format', 'json'];
    const { code, stdout, stderr } = await run(root, bin('attw'), [tarball, ...profile]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { analysis } = JSON.parse(stdout) as { analysis: { entrypoints: object } };
    expect(Object.keys(analysis.entrypoints)).toEqual([
      '.',
      './testing',
      './opentelemetry',
      './prometheus',
      './package.json',
    ]);
  });
});

describe('the lock file', () => {
  it('names no address to download from', async () => {
    expect(await readFile(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved"');
  });

  it('is complete: a clean install takes it as it is', async () => {
    const project = join(folder, 'locked');
    await mkdir(project);
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
      await cp(join(root, file), join(project, file));
    }
    await succeed(project, 'npm', ['ci', '--dry-run', '--ignore-scripts', '--prefer-offline']);
  });
});

/**
 * With the versions of our own lock file, which `npm ci` has downloaded. Newer ones would need a network, and
 * make a test red by what others publish.
 */
async function lockFileOfUsers(): Promise<string> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const installed = Object.entries(packages).filter(([path, { dev, devOptional }]) => {
    return path !== '' && dev !== true && devOptional !== true;
  });
  const name = 'consumer';
  const all = { '': { name }, ...Object.fromEntries(installed) };
  return JSON.stringify({ name, lockfileVersion: 3, requires: true, packages: all });
}

describe('installed alone in an empty project', () => {
  let project: string;
  beforeAll(async () => {
    project = join(folder, 'consumer');
    await cp(join(root, 'test/fixtures/consumer'), project, { recursive: true });
    await writeFile(join(project, 'package-lock.json'), await lockFileOfUsers());
    const flags = ['--prefer-offline', '--no-audit', '--no-fund'];
    await succeed(project, 'npm', ['install', ...flags, tarball]);
  }, 600_000);

  const output = 'token bigint, held true\nERR_ACQUIRE_TIMEOUT\nreleased true\n';

  it('brings nothing that only its development needs', async () => {
    const manifest = await readFile(join(root, 'package.json'), 'utf8');
    const { devDependencies } = JSON.parse(manifest) as { devDependencies: object };
    const tools = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/'));
    const modules = join(project, 'node_modules');
    expect(existsSync(join(modules, '@metaparticle/sync'))).toBe(true);
    expect(tools.filter((name) => existsSync(join(modules, name)))).toEqual([]);
  });

  it('works from TypeScript, whose types it satisfies', async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await succeed(project, process.execPath, [tsc, '--project', project]);
    expect(await succeed(project, process.execPath, ['out/typescript.js'])).toBe(output);
  });

  it.each(['javascript.js', 'required.cjs'])('works from %s', async (script) => {
    expect(await succeed(project, process.execPath, [script])).toBe(output);
  });

  describe('has a command line', () => {
    let api: LeaseServer;
    let file: string;
    beforeAll(async () => {
      api = await startLeaseServer();
      file = join(project, 'kubeconfig');
      await writeFile(file, api.kubeConfigYaml());
    });
    afterAll(() => api.close());

    const program = (name: string, ...args: string[]): Promise<string> => {
      const bin = join(project, 'node_modules/.bin/metaparticle-sync');
      return succeed(project, bin, [name, '--kubeconfig', file, ...args]);
    };

    it('that npx finds', async () => {
      const help = await succeed(project, 'npx', ['--no-install', 'metaparticle-sync', '--help']);
      expect(help).toContain('Usage: metaparticle-sync');
    });

    it('that runs a command under a lock, and shows the lock afterwards', async () => {
      const command = ['--', 'sh', '-c', 'echo $METAPARTICLE_SYNC_NAME'];
      expect(await program('lock', 'report', ...command)).toBe('report\n');
      expect(await program('status')).toMatch(/^report +vacant/m);
    });

    it('that examines a cluster', async () => {
      expect(await program('doctor')).toMatch(/^ok +hand-off/m);
    });
  });
});

describe('a project that docs/testing.md describes', () => {
  // `runners.long.test.ts` has the others.
  it('node-test: its tests pass as the page sets them up', async () => {
    expect(await testProject('node-test', folder, tarball)).toEqual(passed);
  }, 600_000);
});
