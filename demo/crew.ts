// The processes of the demo: each is started here, heard here, and ended here by its own id.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command, Report, ReportOf, Settings } from './messages.js';

export interface Member {
  readonly name: string;
  readonly pid: number;
  send(command: Command): void;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
}

type Listener = (member: Member, report: Report) => void;

/** A wait that takes longer is in vain, also on a machine that does much else. */
const WAIT_LIMIT_MS = 120_000;
/** So much of what a process wrote to standard error is shown when it fails. */
const WORDS = 2_000;

export class Crew {
  readonly #children = new Map<Member, ChildProcess>();
  readonly #listeners = new Set<Listener>();
  readonly #abort: AbortController;
  /** Those whose end is no surprise. */
  readonly #released = new Set<Member>();

  /** Aborted with an Error when a process fails; from outside, it calls every wait off. */
  constructor(abort: AbortController) {
    this.#abort = abort;
    // Whatever ends the demo ends them, at the latest in its last moment.
    process.once('exit', () => this.#kill());
  }

  get started(): number {
    return this.#children.size;
  }

  /** How many of those that were started are still there. */
  get left(): number {
    return [...this.#children.keys()].filter(({ pid }) => isThere(pid)).length;
  }

  start(program: 'candidate' | 'worker', settings: Settings): Member {
    const file = fileURLToPath(import.meta.resolve(`./processes/${program}.js`));
    const child = fork(file, [JSON.stringify(settings)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const member: Member = {
      ...{ name: settings.identity, pid: child.pid ?? 0, gone },
      send: (command) => void child.send(command, () => undefined),
      signal: (name) => void child.kill(name),
    };
    this.#children.set(member, child);
    child.on('message', (report: Report) => this.#hear(member, report));
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-WORDS);
    });
    child.once('error', (error) => this.#abort.abort(error));
    child.once('close', (code, signal) => {
      if (this.#released.has(member)) return;
      const how = signal ?? `exit code ${code ?? 'unknown'}`;
      this.#abort.abort(new Error(`${member.name} ended by itself (${how})\n${words}`.trimEnd()));
    });
    return member;
  }

  /** From now on its end is expected. */
  release(member: Member): void {
    this.#released.add(member);
  }

  /** Calls back for each report, in the order of their arrival, until it is called off. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The next report of this type by any of these. Rejects, saying what was waited for, if it does not come. */
  next<T extends Report['type']>(
    members: readonly Member[],
    type: T,
    what: string,
    limitMs = WAIT_LIMIT_MS,
    fits: (report: ReportOf<T>) => boolean = () => true,
  ): Promise<ReportOf<T> & { readonly by: Member }> {
    const { signal } = this.#abort;
    const promise = new Promise<ReportOf<T> & { by: Member }>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        signal.removeEventListener('abort', called);
      };
      const listener: Listener = (by, report) => {
        if (report.type !== type || !members.includes(by) || !fits(report as ReportOf<T>)) return;
        done();
        resolve({ ...(report as ReportOf<T>), by });
      };
      const called = (): void => {
        done();
        reject(signal.reason as Error);
      };
      const late = (): void => {
        done();
        reject(new Error(`waited ${limitMs / 1_000} s in vain: ${what}`));
      };
      const timer = setTimeout(late, limitMs);
      this.#listeners.add(listener);
      signal.addEventListener('abort', called);
      if (signal.aborted) called();
    });
    // Often asked for before, and fetched after, something else that may fail.
    promise.catch(() => undefined);
    return promise;
  }

  /** Asks them to end by themselves, and waits until they are gone. */
  async dismiss(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      this.release(member);
      member.send({ type: 'stop' });
    }
    await Promise.all(members.map(({ gone }) => gone));
  }

  /** Ends all that still run, paused ones too. */
  async end(): Promise<void> {
    this.#kill();
    await Promise.all([...this.#children.keys()].map(({ gone }) => gone));
  }

  #kill(): void {
    for (const [member, child] of this.#children) {
      this.release(member);
      child.kill('SIGKILL');
    }
  }

  #hear(by: Member, report: Report): void {
    if (report.type === 'failed') {
      this.release(by);
      this.#abort.abort(new Error(`${by.name}: ${report.message}`));
    }
    for (const listener of [...this.#listeners]) listener(by, report);
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
