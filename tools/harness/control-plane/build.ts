import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What to build, and where to put it. */
export interface Build {
  /** What it is, for messages. */
  readonly what: string;
  /** The folder of the Go module. */
  readonly module: string;
  readonly packages: readonly string[];
  readonly linkerFlags: string;
  /** Gets the programs; appears whole or not at all. */
  readonly folder: string;
}

/**
 * Builds programs with Go, unless another process has just done so, which is waited for. Says on
 * standard error how it goes. Rejects with the compiler's words when that fails.
 */
export async function build(task: Build): Promise<void> {
  const { folder } = task;
  await mkdir(dirname(folder), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    if (existsSync(folder)) return;
    await removeUnfinished(folder);
    await buildAndRename(task);
  } finally {
    await unlock();
  }
}

/**
 * Where programs are kept that were built for this machine; another place when a source file changes.
 *
 * @param room what they are for: a folder of the cache
 * @param files of the Go module, that all depends on
 */
export function cacheFolder(
  room: string,
  what: string,
  module: string,
  files: readonly string[],
): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(module, file)));
  const key = `${what}-${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`;
  const xdg = process.env.XDG_CACHE_HOME;
  const base = xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache');
  return join(base, 'metaparticle-sync', room, key);
}

/** The version of a module that `go.mod` requires, e.g. `v1.36.3`. */
export function requiredVersion(module: string, path: string): string {
  const lines = readFileSync(join(module, 'go.mod'), 'utf8').split('\n');
  const version = lines.map((line) => line.trim().split(' ')).find(([name]) => name === path)?.[1];
  if (version === undefined) throw new Error(`go.mod names no version of ${path}`);
  return version;
}

/** More than a slow machine needs; a module proxy that hangs is not waited for any longer. */
const BUILD_LIMIT_MS = 25 * 60_000;

const UNFINISHED = '.building-';

/** What builds left that were killed: large, and of no use. */
async function removeUnfinished(folder: string): Promise<void> {
  const prefix = basename(folder) + UNFINISHED;
  for (const name of await readdir(dirname(folder))) {
    if (!name.startsWith(prefix)) continue;
    await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
}

async function buildAndRename(task: Build): Promise<void> {
  const { what, module, packages, linkerFlags, folder } = task;
  const temporary = await mkdtemp(`${folder}${UNFINISHED}`);
  const args = ['build', '-buildvcs=false', '-trimpath', `-ldflags=-s -w ${linkerFlags}`];
  const progress = startProgress(`building ${what} with Go, once`);
  try {
    await go(module, [...args, '-o', `${temporary}/`, ...packages]);
    // Two who took one abandoned lock may both get here: what is there already is as good.
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function go(module: string, args: readonly string[]): Promise<void> {
  const child = spawn('go', args, {
    cwd: module,
    // No C compiler needed, and the result runs beside any C library.
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: BUILD_LIMIT_MS,
  });
  let tail = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-4000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  if (code !== 0) throw new Error(`go ${args.join(' ')} exited with ${String(code)}:\n${tail}`);
}

function startProgress(what: string): { end: (how: string) => void } {
  const start = performance.now();
  const say = (how: string): void => {
    const seconds = Math.round((performance.now() - start) / 1000);
    process.stderr.write(`${what}: ${how} (${seconds} s)\n`);
  };
  say('started');
  const timer = setInterval(() => say('still going'), 10_000);
  return {
    end(how) {
      clearInterval(timer);
      say(how);
    },
  };
}

/**
 * Takes the lock file and returns what gives it back. It only saves work (the rename decides), so
 * a lock whose owner died is simply removed.
 */
async function lock(file: string): Promise<() => Promise<void>> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, String(process.pid));
  let waiting: ReturnType<typeof startProgress> | undefined;
  try {
    // A hard link appears with its content, which a file made and then written would not.
    while (!(await link(own, file).then(() => true, isTaken))) {
      waiting ??= startProgress('waiting for another process that builds it');
      if (await isAbandoned(file)) await rm(file, { force: true });
      else await sleep(500);
    }
  } finally {
    waiting?.end('our turn');
    await rm(own, { force: true });
  }
  return () => rm(file, { force: true });
}

function isTaken(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
  throw error;
}

async function isAbandoned(file: string): Promise<boolean> {
  try {
    process.kill(Number(await readFile(file, 'utf8')), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
