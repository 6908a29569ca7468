// The package as it is packed, and projects that have it installed.
import { expect } from '@jest/globals';
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../tools/docs/source.js';

export interface Ran {
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
export function run(
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
export async function succeed(
  cwd: string,
  command: string,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, command, args);
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ')} exited with ${code}\n${stdout}\n${stderr}`);
  }
  return stdout;
}

export interface Pack {
  readonly tarball: string;
  /** The paths of its files. */
  readonly packed: readonly string[];
}

/** Builds first (`prepack`), so what is packed is always the present source. */
export async function pack(folder: string): Promise<Pack> {
  const json = await succeed(root, 'npm', ['pack', '--json', '--pack-destination', folder]);
  const [{ filename, files }] = JSON.parse(json) as [
    { filename: string; files: { path: string }[] },
  ];
  return { tarball: join(folder, filename), packed: files.map(({ path }) => path).sort() };
}

/** The package as it is packed; everything else that a project has installed is that of this repository. */
async function installFor(project: string, tarball: string): Promise<void> {
  const [ours, theirs] = [join(root, 'node_modules'), join(project, 'node_modules')];
  const place = join(theirs, '@metaparticle', 'sync');
  await mkdir(place, { recursive: true });
  await succeed(project, 'tar', ['-xzf', tarball, '-C', place, '--strip-components=1']);
  for (const name of await readdir(ours)) {
    if (name !== '@metaparticle') await symlink(join(ours, name), join(theirs, name));
  }
}

/** Runs the tests of one of the projects of test/fixtures/runners in a copy of it. */
export async function testProject(
  name: string,
  folder: string,
  tarball: string,
): Promise<{ code: number | null; output: string }> {
  const project = join(folder, name);
  await cp(join(root, 'test/fixtures/runners', name), project, { recursive: true });
  await installFor(project, tarball);
  const { code, stdout, stderr } = await run(project, 'npm', ['test']);
  return { code, output: stdout + stderr };
}

/** What {@link testProject} comes to when every test of the project passes. */
export const passed = {
  code: 0,
  output: expect.stringMatching(/^(Tests: +\d+ passed, \d+ total|# pass 1)$/m),
};
