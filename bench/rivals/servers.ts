// The servers that rivals need, where they are installed; each on a socket in a folder of its own.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Postgres, findPostgres } from '../../tools/harness/postgres.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const START_LIMIT_MS = 10_000;

export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Installs what package-lock.json names, once. @returns the package.json whose packages they are */
export function installRivals(): string {
  const file = join(here, 'package.json');
  const wanted = Object.keys(
    (JSON.parse(readFileSync(file, 'utf8')) as { dependencies: object }).dependencies,
  );
  if (!wanted.every((name) => existsSync(join(here, 'node_modules', name)))) {
    const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    const { status } = spawnSync('npm', args, {
      cwd: here,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error('npm ci of the rivals failed');
  }
  return file;
}

export function versionOf(name: string): string {
  const file = join(here, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** `null` where there is none. Like all of them it keeps nothing on a disk. */
export async function startRedis(): Promise<Server | null> {
  const program = ['redis-server', 'valkey-server'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  if (program === undefined) return null;
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const socket = join(folder, 'socket');
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'];
  const child = spawn(program, args, { cwd: folder, stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  const end = performance.now() + START_LIMIT_MS;
  while (!existsSync(socket)) {
    if (performance.now() > end || child.exitCode !== null) throw new Error(`${program} failed`);
    await sleep(20);
  }
  return {
    url: socket,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `null` where there is none. */
export async function startPostgres(): Promise<Server | null> {
  const programs = findPostgres();
  return programs === undefined ? null : Postgres.start(programs);
}
