// Runs the command line of the sources as a process of its own.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Child, type Exit } from '../support/child.js';
import { root } from '../tools/source.js';

const LOADER = join(root, 'test/integration/loader.js');
const MAIN = join(root, 'src/cli/main.ts');

/** The commands on one cluster; what still runs is ended in the end. */
export class Cli implements AsyncDisposable {
  readonly #kubeConfigFile: string;
  readonly #children: Child[] = [];

  constructor(kubeConfigFile: string) {
    this.#kubeConfigFile = kubeConfigFile;
  }

  start(...args: readonly string[]): Child {
    const child = new Child(
      spawn(process.execPath, ['--import', LOADER, MAIN, ...args], {
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
    await Promise.all(this.#children.filter(({ isAlive }) => isAlive).map((one) => one.stop()));
  }
}

/** A shell that says what comes over it. */
export function shell(script: string): readonly string[] {
  return ['--', 'sh', '-c', script];
}
