// The examples as programs, each a process of its own on one embedded server.
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { LeaseServer } from '@metaparticle/sync/testing';
import { spawn } from 'node:child_process';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Child, Workshop, transpiled } from '../support/child.js';
import { root } from '../tools/source.js';

type Env = Readonly<Record<string, string | undefined>>;

/** The timings of a pod that are the same for all, and a free port. */
const base: Env = { NODE_OPTIONS: '', PORT: '0', POD_NAME: undefined, DATABASE_URL: undefined };

export class Stage implements AsyncDisposable {
  readonly api: LeaseServer;
  readonly #workshop: Workshop;
  readonly #children: Child[] = [];

  private constructor(api: LeaseServer, workshop: Workshop) {
    this.api = api;
    this.#workshop = workshop;
  }

  /** Compiles the examples once: their processes start in a fraction of the time then. */
  static async open(): Promise<Stage> {
    const stage = new Stage(await startLeaseServer(), await Workshop.open());
    const from = join(root, 'examples');
    await cp(from, stage.#path('examples'), { recursive: true });
    for (const file of await readdir(from, { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const text = await readFile(join(from, file), 'utf8');
      await writeFile(stage.#path('examples', file.replace(/ts$/, 'js')), stage.#compile(text));
    }
    await writeFile(stage.kubeConfigFile, stage.api.kubeConfigYaml());
    return stage;
  }

  /** Leads to the embedded server. */
  get kubeConfigFile(): string {
    return this.#path('kubeconfig');
  }

  /** Runs `examples/NAME.ts`. */
  run(name: string, env: Env = {}): Child {
    return this.spawn(process.execPath, [this.#path('examples', `${name}.js`)], env);
  }

  /** Puts a changed copy beside an example, as a program `NAME-changed`. */
  async change(name: string, from: string, to: string): Promise<string> {
    const text = await readFile(join(root, 'examples', `${name}.ts`), 'utf8');
    if (!text.includes(from)) throw new Error(`${name}.ts has no ${from}`);
    const file = this.#path('examples', `${name}-changed.js`);
    await writeFile(file, this.#compile(text.replace(from, to)));
    return `${name}-changed`;
  }

  /** Runs any program in the repository's folder, with KUBECONFIG. It is ended with the stage. */
  spawn(command: string, args: readonly string[], env: Env = {}): Child {
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

  holder(name: string): string | null | undefined {
    return this.api.leases.get('default', name)?.spec.holderIdentity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.filter(({ isAlive }) => isAlive).map((one) => one.kill()));
    await this.api.close();
    await this.#workshop[Symbol.asyncDispose]();
    await rm(this.#path(), { recursive: true, force: true });
  }

  #path(...parts: string[]): string {
    return join(this.#workshop.folder, ...parts);
  }

  #compile(text: string): string {
    const url = (...parts: string[]): string => pathToFileURL(this.#path('sync', ...parts)).href;
    return transpiled(text)
      .replaceAll(`'@metaparticle/sync'`, `'${url('index.js')}'`)
      .replaceAll(`'@metaparticle/sync/testing'`, `'${url('testing', 'index.js')}'`);
  }
}

/** The port that a program says it listens on. */
export async function portOf(child: Child): Promise<number> {
  await child.said('listening on ');
  return Number(/listening on (\d+)/.exec(child.stdout)?.[1]);
}
