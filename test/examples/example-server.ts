// The examples as programs, each a process of its own on one embedded server.
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { LeaseServer } from '@metaparticle/sync/testing';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../support/child.js';
import { root } from '../../tools/docs/source.js';

type Env = Readonly<Record<string, string | undefined>>;

/** A free port, and no variable of the surroundings that the examples read. */
const base: Env = { NODE_OPTIONS: '', PORT: '0', POD_NAME: undefined, DATABASE_URL: undefined };

/** Programs that run in the repository's folder, until `end()` at the latest. */
export class Programs {
  /** Names the API server of the programs. */
  readonly kubeConfigFile: string;
  readonly #children: Child[] = [];

  constructor(kubeConfigFile: string) {
    this.kubeConfigFile = kubeConfigFile;
  }

  start(command: string, args: readonly string[], env: Env = {}): Child {
    const child = new Child(
      spawn(command, args, {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...base, KUBECONFIG: this.kubeConfigFile, ...env },
      }),
    );
    this.#children.push(child);
    return child;
  }

  /** What a test that failed leaves behind must not get in the way of the next. */
  async end(): Promise<void> {
    const children = this.#children.splice(0);
    await Promise.all(children.filter(({ isAlive }) => isAlive).map((child) => child.kill()));
  }
}

/** The examples on an embedded server of their own. */
export class ExampleServer implements AsyncDisposable {
  readonly api: LeaseServer;
  readonly #folder: string;
  readonly #programs: Programs;

  private constructor(api: LeaseServer, folder: string) {
    this.api = api;
    this.#folder = folder;
    this.#programs = new Programs(join(folder, 'kubeconfig'));
  }

  static async open(): Promise<ExampleServer> {
    const server = new ExampleServer(
      await startLeaseServer(),
      await mkdtemp(join(tmpdir(), 'examples-')),
    );
    await writeFile(server.#programs.kubeConfigFile, server.api.kubeConfigYaml());
    return server;
  }

  /** Runs a file of `examples/`. */
  run(name: string, env: Env = {}): Child {
    return this.#start(join('examples', name), env);
  }

  /** Runs a copy in which something is changed. */
  async runChanged(name: string, from: string, to: string, env: Env): Promise<Child> {
    const text = await readFile(join(root, 'examples', name), 'utf8');
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    const copy = join(this.#folder, name);
    await writeFile(copy, text.replace(from, to));
    return this.#start(copy, env);
  }

  /** Ends all programs. */
  async clear(): Promise<void> {
    await this.#programs.end();
  }

  holder(name: string): string | null | undefined {
    return this.api.leases.get('default', name)?.spec.holderIdentity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#programs.end();
    await this.api.close();
    await rm(this.#folder, { recursive: true });
  }

  #start(file: string, env: Env): Child {
    const args = ['--import', './tools/loader.js', file];
    return this.#programs.start(process.execPath, args, env);
  }
}

/** The port that a program says it listens on. */
export async function portOf(child: Child): Promise<number> {
  await child.said('listening on ');
  return Number(/listening on (\d+)/.exec(child.stdout)?.[1]);
}
