// Runs the command line of the sources as a process of its own.
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Child, type Exit } from '../support/child.js';
import { root } from '../../tools/docs/source.js';

let main: Promise<string> | undefined;

/** Compiled once, since processes are many here: by a `beforeAll`, so that no test is in the way of it. */
export function mainFile(): Promise<string> {
  const script = join(root, 'tools/harness/processes/build.js');
  main ??= promisify(execFile)(process.execPath, [script]).then(({ stdout }) => {
    return join(stdout, '../../../src/cli/main.js');
  });
  return main;
}

/** The commands on one cluster; what still runs is ended in the end. */
export class Cli implements AsyncDisposable {
  readonly #main: string;
  readonly #kubeConfigFile: string;
  readonly #children: Child[] = [];

  static async open(kubeConfigFile: string): Promise<Cli> {
    return new Cli(await mainFile(), kubeConfigFile);
  }

  private constructor(main: string, kubeConfigFile: string) {
    this.#main = main;
    this.#kubeConfigFile = kubeConfigFile;
  }

  start(...args: readonly string[]): Child {
    const child = new Child(
      spawn(process.execPath, [this.#main, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: '', KUBECONFIG: this.#kubeConfigFile },
      }),
    );
    this.#children.push(child);
    return child;
  }

  run(...args: readonly string[]): Promise<Exit> {
    return this.start(...args).exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const alive = this.#children.filter(({ isAlive }) => isAlive);
    // One that is stopped hears nothing else before.
    for (const one of alive) one.signal('SIGCONT');
    await Promise.all(alive.map((one) => one.stop()));
  }
}

/** A shell that says what comes over it. */
export function shell(script: string): readonly string[] {
  return ['--', 'sh', '-c', script];
}
