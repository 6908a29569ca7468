// Processes of their own, to see how the library behaves in one: when it ends, and how.
import type { LeaseServer } from '@metaparticle/sync/testing';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { root } from '../../tools/docs/source.js';
import { until } from './promises.js';

/** A process that takes longer hangs: no machine is that slow. */
const START_LIMIT_MS = 120_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One child process, with what it said so far. */
export class Child {
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #isOver = false;

  constructor(process: ChildProcess) {
    this.#process = process;
    process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.exited = once(process, 'close').then(([code, signal]) => {
      this.#isOver = true;
      const how = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      return { ...how, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves once it has printed that; fails when it ends before. */
  said(word: string | RegExp, limitMs = START_LIMIT_MS): Promise<void> {
    return this.#heard(() => this.#stdout, word, limitMs);
  }

  /** As {@link said}, of what it told on stderr. */
  told(word: string | RegExp, limitMs = START_LIMIT_MS): Promise<void> {
    return this.#heard(() => this.#stderr, word, limitMs);
  }

  async #heard(text: () => string, word: string | RegExp, limitMs: number): Promise<void> {
    const hasSaid = (): boolean => {
      return typeof word === 'string' ? text().includes(word) : word.test(text());
    };
    const isDecided = (): boolean => hasSaid() || this.#isOver;
    await until(`a child that says ${String(word)}`, isDecided, limitMs);
    if (!hasSaid()) throw new Error(`ended without ${String(word)}: ${this.#stderr}`);
  }

  /** Nothing reads what it prints any more. */
  closeStdout(): void {
    this.#process.stdout?.destroy();
  }

  /** Nothing reads what it tells any more. */
  closeStderr(): void {
    this.#process.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to end, as Kubernetes does, and waits until it has. */
  async stop(): Promise<Exit> {
    this.#process.kill('SIGTERM');
    return this.exited;
  }

  /** A process id in what it printed: the first group of the pattern. */
  findPid(pattern: RegExp): number {
    const found = pattern.exec(this.#stdout)?.[1];
    if (found === undefined) throw new Error(`${pattern.source} is not in: ${this.#stdout}`);
    return Number(found);
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.exited;
  }
}

export interface ScriptOptions {
  /** The script then has a `client` of this server, and a `lock(name, options)` of that client. */
  readonly api?: LeaseServer | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A folder with the library as JavaScript, where scripts can import it from `./sync/index.js`. */
export class Workshop implements AsyncDisposable {
  readonly folder: string;
  readonly #children: Child[] = [];
  #scripts = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Workshop> {
    const folder = await mkdtemp(join(tmpdir(), 'children-'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const file of await readdir(join(root, 'src'), { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const target = join(folder, 'sync', file.replace(/ts$/, 'js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, transpiled(await readFile(join(root, 'src', file), 'utf8')));
    }
    return new Workshop(folder);
  }

  /** Runs a module with `Lock`, `LeaseClient` and `sleep` at hand. */
  async start(script: string, { api, env }: ScriptOptions = {}): Promise<Child> {
    const file = join(this.folder, `script-${++this.#scripts}.mjs`);
    await writeFile(file, `${prelude}${api === undefined ? '' : clientOf(api)}\n${script}`);
    const child = new Child(
      spawn(process.execPath, [file], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: '', ...env },
      }),
    );
    this.#children.push(child);
    return child;
  }

  async run(script: string, options?: ScriptOptions): Promise<Exit> {
    return (await this.start(script, options)).exited;
  }

  /** Ends what still runs, and removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.filter(({ isAlive }) => isAlive).map((one) => one.kill()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

const prelude = `
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock } from './sync/index.js';
`;

function clientOf(api: LeaseServer): string {
  const { token } = api.kubeConfig.getCurrentUser();
  return `
const client = new LeaseClient({
  identity: 'child',
  kubeConfig: {
    getCurrentCluster: () => ({ server: ${JSON.stringify(api.url)} }),
    getCurrentContext: () => 'test',
    getContextObject: () => ({ namespace: 'default' }),
    applyToHTTPSOptions: async (options) => {
      options.headers = { Authorization: ${JSON.stringify(`Bearer ${token}`)} };
    },
  },
});
const quick = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };
const lock = (name, options) => new Lock(name, { client, ...quick, ...options });
`;
}

function transpiled(source: string): string {
  const { ES2022 } = ts.ScriptTarget;
  const compilerOptions = {
    target: ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}
