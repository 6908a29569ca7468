// Runs the command line of the sources as a process of its own.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Child, type Exit } from '../support/child.js';
import { root } from '../../tools/docs/source.js';

let main: string | null = null;

/** Compiled once: processes are many here. */
function mainFile(): string {
  main ??= join(
    execFileSync(process.execPath, [join(root, 'tools/harness/processes/build.js')], {
      encoding: 'utf8',
    }),
    '../../../src/cli/main.js',
  );
  return main;
}

/** The commands on one cluster; what still runs is ended in the end. */
export class Cli implements AsyncDisposable {
  readonly #kubeConfigFile: string;
  readonly #children: Child[] = [];

  constructor(kubeConfigFile: string) {
    this.#kubeConfigFile = kubeConfigFile;
  }

  start(...args: readonly string[]): Child {
    const child = new Child(
      spawn(process.execPath, [mainFile(), ...args], {
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
