// The test's side of a candidate of client-go: a process that tells every step in a line of JSON.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { BuiltClientGo } from './find.js';
import type { Cluster } from '../cluster.js';
import type { WorkerPool, Exit } from '../processes/pool.js';
import { now, wallOffset } from '../processes/time.js';

export interface ClientGoSettings {
  readonly lease: string;
  readonly identity: string;
  /** Go's durations. Those of client-go's users: 15s, 10s, 2s. */
  readonly duration?: string;
  readonly deadline?: string;
  readonly retry?: string;
  /** Between the end of a term and the next campaign; without it there is only one. */
  readonly pause?: string;
}

/** Times are those of `now()`, `renewTime` is in milliseconds since the epoch. */
export interface ClientGoLine {
  readonly at: number;
  readonly event: ClientGoEvent;
  /** When a request left. */
  readonly sentAt?: number;
  readonly error?: string;
  readonly version?: string;
  readonly holder?: string;
  readonly renewTime?: number;
  readonly transitions?: number;
  readonly isLeader?: boolean;
}

export type ClientGoEvent =
  | 'ready'
  | 'campaigning'
  /** `OnStartedLeading` was called. */
  | 'leading'
  /** Its own wish: the context of its work is cancelled from here on. */
  | 'resigning'
  /** The context of its work was found to be cancelled. */
  | 'cancelled'
  | 'stopped'
  | 'ended'
  /** `OnNewLeader` was called. */
  | 'leader'
  | 'get'
  | 'create'
  | 'update';

const LIMIT_MS = 60_000;
const WORDS = 4_000;

export class ClientGoCandidate {
  readonly lines: ClientGoLine[] = [];
  readonly exited: Promise<Exit>;
  readonly identity: string;
  readonly #child: ChildProcess;
  readonly #offset = wallOffset();
  readonly #listeners = new Set<() => void>();
  #words = '';
  #exit: Exit | undefined;

  /** Resolves when it is about to campaign. */
  static async start(
    pool: WorkerPool,
    program: BuiltClientGo,
    cluster: Cluster,
    settings: ClientGoSettings,
  ): Promise<ClientGoCandidate> {
    const { identity } = settings;
    const args = Object.entries({ ...settings, namespace: cluster.namespace });
    const flags = args.map(([flag, value]) => `-${flag}=${value}`);
    const loop = settings.pause === undefined ? [] : ['-loop'];
    const all = [`-kubeconfig=${cluster.kubeConfigFile}`, ...flags, ...loop];
    const child = spawn(program.file, all, { stdio: ['pipe', 'pipe', 'pipe'] });
    const rival = pool.adopt(new ClientGoCandidate(child, identity));
    await rival.next('ready', 0);
    return rival;
  }

  private constructor(child: ChildProcess, identity: string) {
    this.identity = identity;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => (this.#words += String(error)));
      child.once('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
        this.#wake();
      });
    });
    // It may have ended when it is told something.
    child.stdin?.on('error', () => undefined);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-WORDS);
    });
    if (child.stdout === null) throw new Error('no output to read');
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.lines.push(this.#read(text));
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether its work goes on, as far as it has told. */
  get isLeading(): boolean {
    const turns = this.lines.filter(({ event }) => event === 'leading' || ENDS.includes(event));
    return turns.at(-1)?.event === 'leading';
  }

  /** The first line of such an event at or after a time, be it here already or still to come. */
  async next(event: ClientGoEvent, since: number, limitMs = LIMIT_MS): Promise<ClientGoLine> {
    const find = (): ClientGoLine | undefined =>
      this.lines.find((line) => line.event === event && line.at >= since);
    const deadline = now() + limitMs;
    for (;;) {
      const line = find();
      if (line !== undefined) return line;
      if (this.#exit !== undefined) throw this.#failure(`ended before: ${event}`);
      if (now() >= deadline) throw this.#failure(`in ${limitMs} ms there was no: ${event}`);
      await this.#change(deadline - now());
    }
  }

  /** Ends its term as a service does that wants to. Resolves with the time from which it believes no more. */
  async resign(): Promise<number> {
    const calledAt = now();
    this.#child.stdin?.write('resign\n');
    return (await this.next('resigning', calledAt)).at;
  }

  /** As `resign()`, without waiting: for one that is paused. */
  askToResign(): void {
    this.#child.stdin?.write('resign\n');
  }

  /** SIGTERM: it releases what it holds and ends. */
  async terminate(): Promise<Exit> {
    this.signal('SIGTERM');
    return this.exited;
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  #read(text: string): ClientGoLine {
    const line = JSON.parse(text) as ClientGoLine;
    const at = line.at - this.#offset;
    return line.sentAt === undefined
      ? { ...line, at }
      : { ...line, at, sentAt: line.sentAt - this.#offset };
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#listeners.add(done);
    });
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #failure(why: string): Error {
    const last = this.lines.slice(-5).map((line) => JSON.stringify(line));
    return new Error(`${this.identity} ${why}\n${[...last, this.#words].join('\n')}`);
  }
}

const ENDS: readonly ClientGoEvent[] = ['resigning', 'cancelled', 'stopped'];
