// A PostgreSQL of a test's own: in a folder that is removed, reached by a socket in it, never by a network.
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 2_000;
const DEBIAN = '/usr/lib/postgresql';

/** Where `initdb` and `postgres` are: on the PATH, or where Debian has them, the newest first. */
export function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const debian = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, 'bin'));
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...debian];
  return folders.find((folder) => {
    return ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)));
  });
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: then another user runs it, by default that of its package. */
async function account(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all(['-u', '-g'].map((which) => idOf(which, name)));
    const [uid, gid] = ids;
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('neither postgres nor nobody is a user here, and root may not run PostgreSQL');
}

async function idOf(which: string, name: string): Promise<number | undefined> {
  const run = promisify(execFile)('id', [which, name]);
  return run.then(
    ({ stdout }) => Number(stdout),
    () => undefined,
  );
}

/** A server that runs until `stop()`; a watchdog ends it when this process is gone before. */
export class Postgres {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #watchdog: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, watchdog: ChildProcess, folder: string) {
    this.#process = process;
    this.#watchdog = watchdog;
    this.#folder = folder;
    this.url = `postgresql:///postgres?host=${encodeURIComponent(folder)}&user=tester`;
  }

  static async start(programs: string): Promise<Postgres> {
    const folder = await mkdtemp(join(tmpdir(), 'pg-'));
    const watchdog = startWatchdog(folder);
    try {
      const as = await account();
      if (as !== undefined) await chown(folder, as.uid, as.gid);
      const data = join(folder, 'data');
      const options = { cwd: folder, ...as };
      const init = ['-D', data, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'];
      await promisify(execFile)(join(programs, 'initdb'), init, options);
      const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off'];
      const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
      const server = spawn(join(programs, 'postgres'), args, { ...options, stdio: 'ignore' });
      watchdog.stdin?.write(`pids ${server.pid ?? ''}\n`);
      const postgres = new Postgres(server, watchdog, folder);
      await postgres.#ready(join(data, 'postmaster.pid'));
      return postgres;
    } catch (error) {
      // It ends the server and removes the folder.
      watchdog.stdin?.end();
      throw error;
    }
  }

  /** Ends its sessions and the server, and removes all that it stored. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      // Sessions that are being closed are waited for; such as were forgotten are then ended.
      this.#process.kill('SIGTERM');
      const late = setTimeout(() => this.#process.kill('SIGINT'), STOP_LIMIT_MS);
      await exited;
      clearTimeout(late);
    }
    const gone = once(this.#watchdog, 'exit');
    await rm(this.#folder, { recursive: true, force: true });
    this.#watchdog.stdin?.end('done\n');
    await gone;
  }

  /** The last line of the file says so. */
  async #ready(pidFile: string): Promise<void> {
    const end = performance.now() + START_LIMIT_MS;
    for (;;) {
      const text = await readFile(pidFile, 'utf8').catch(() => '');
      if (/^ready/m.test(text)) return;
      if (this.#process.exitCode !== null) throw new Error('PostgreSQL ended at once');
      if (performance.now() > end) throw new Error(`PostgreSQL took over ${START_LIMIT_MS} ms`);
      await sleep(20);
    }
  }
}

/** Ends the server and removes the folder when this process is gone, however it ended. */
function startWatchdog(folder: string): ChildProcess {
  const script = new URL('control-plane/watchdog.js', import.meta.url);
  return spawn(process.execPath, [fileURLToPath(script), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}
