import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { startLeaseServer } from '../../src/testing/index.js';
import type { LeaseServer } from '../../src/testing/index.js';
import { root } from '../../tools/docs/source.js';

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npm run` puts into the environment would make an npm inside of it work on this repository. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => {
    return !/^(npm_(package|lifecycle|command|config_local_prefix)|NODE_OPTIONS|INIT_CWD)/.test(
      name,
    );
  }),
);

/** Runs a program to its end, or ends it after `limitMs`. */
function run(
  cwd: string,
  command: string,
  args: readonly string[],
  limitMs = 600_000,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: environment, timeout: limitMs, killSignal: 'SIGKILL' } as const;
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** As {@link run}; rejects with all that was said unless the program ends well. */
async function succeed(cwd: string, command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, command, args);
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ')} exited with ${code}\n${stdout}\n${stderr}`);
  }
  return stdout;
}

const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

let folder: string;
let tarball: string;
let packed: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-test-'));
  // Builds first (`prepack`), so what is packed is always the source of now.
  const json = await succeed(root, 'npm', ['pack', '--json', '--pack-destination', folder]);
  const [pack] = JSON.parse(json) as [{ filename: string; files: { path: string }[] }];
  tarball = join(folder, pack.filename);
  packed = pack.files.map(({ path }) => path).sort();
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

/** The package as it is packed; everything else that a project has installed is that of this repository. */
async function installFor(project: string): Promise<void> {
  const [ours, theirs] = [join(root, 'node_modules'), join(project, 'node_modules')];
  const place = join(theirs, '@metaparticle', 'sync');
  await mkdir(place, { recursive: true });
  await succeed(project, 'tar', ['-xzf', tarball, '-C', place, '--strip-components=1']);
  for (const name of await readdir(ours)) {
    if (name !== '@metaparticle') await symlink(join(ours, name), join(theirs, name));
  }
}

describe('a project that docs/testing.md describes', () => {
  it.each([
    'jest-esm',
    'jest-commonjs',
    'jest-import',
    'ts-jest-esm',
    'ts-jest-commonjs',
    'node-test',
  ])(
    '%s: its tests pass as the page sets them up',
    async (name) => {
      const project = join(folder, name);
      await cp(join(root, 'test/fixtures/runners', name), project, { recursive: true });
      await installFor(project);
      const { code, stdout, stderr } = await run(project, 'npm', ['test']);
      const output = stdout + stderr;
      expect({ code, output }).toEqual({
        code: 0,
        output: expect.stringMatching(/^(Tests: +\d+ passed, \d+ total|# pass 1)$/m),
      });
    },
    600_000,
  );
});
