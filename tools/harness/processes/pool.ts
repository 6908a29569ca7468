// The test's side of workers: real processes that use the package as any service does, told what to
// do by messages. What a test starts here is ended by `killAll()`, by its process id.
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Cluster } from '../cluster.js';
import type { Answer, Calls, Request } from './serve.js';

/** A worker that takes longer hangs: no machine is that slow. */
const START_LIMIT_MS = 120_000;
const CALL_LIMIT_MS = 120_000;
/** How much of what a worker wrote is shown when it fails. */
const WORDS = 4_000;

let folder: Promise<string> | undefined;

/** Where the programs are, made of their TypeScript once per test file. */
function programs(): Promise<string> {
  const script = fileURLToPath(new URL('build.js', import.meta.url));
  folder ??= promisify(execFile)(process.execPath, [script]).then(({ stdout }) => stdout);
  return folder;
}

/** Where a worker finds its API server. */
type Target = Pick<Cluster, 'kubeConfigFile'>;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker process whose program answers `C`. */
export class Worker<C extends Calls> {
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;
  #words = '';
  #exit: Exit | undefined;

  /** @internal Use `WorkerPool.spawn()`. */
  constructor(child: ChildProcess) {
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(this.#end({ code, signal })));
    });
    child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#words = (this.#words + text).slice(-WORDS);
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the worker waits for calls. */
  async ready(): Promise<this> {
    await this.#answer(0, 'its start', START_LIMIT_MS);
    return this;
  }

  /** Resolves when the worker has ended well by itself, with all that it wrote. */
  async ended(limitMs: number): Promise<void> {
    const fail = (why: string): never => {
      throw new Error(`worker ${this.pid} ${why}\n${this.#words}`);
    };
    const late = new AbortController();
    const exit = await Promise.race([
      this.exited,
      sleep(limitMs, 'late', { signal: late.signal }).catch(() => 'late'),
    ]);
    late.abort();
    if (typeof exit === 'string') return fail(`did not end within ${limitMs} ms`);
    if (exit.code !== 0) fail(`ended with ${exit.code ?? exit.signal ?? 'nothing'}`);
  }

  /** Rejects when the worker does, when it ends meanwhile, and when it takes too long. */
  call<K extends keyof C & string>(
    call: K,
    argument: Parameters<C[K]>[0],
    limitMs = CALL_LIMIT_MS,
  ): Promise<Awaited<ReturnType<C[K]>>> {
    const id = ++this.#calls;
    const answer = this.#answer(id, call, limitMs) as Promise<Awaited<ReturnType<C[K]>>>;
    // A test that failed meanwhile does not wait for it any more.
    answer.catch(() => undefined);
    this.#child.send({ id, call, argument } satisfies Request, () => undefined);
    return answer;
  }

  /** SIGKILL leaves it no time for anything. */
  async kill(): Promise<Exit> {
    if (this.#exit === undefined) this.#child.kill('SIGKILL');
    return this.exited;
  }

  #answer(id: number, call: string, limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        reject(new Error(`worker ${this.pid}, ${call}: ${why}\n${this.#words}`));
      };
      const settle = (answer: Answer): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if ('error' in answer) fail(answer.error);
        else resolve(answer.result);
      };
      const timer = setTimeout(() => settle({ id, error: `no answer in ${limitMs} ms` }), limitMs);
      this.#waiting.set(id, settle);
      if (this.#exit !== undefined) settle({ id, error: 'it has ended' });
    });
  }

  #end(exit: Exit): Exit {
    this.#exit = exit;
    for (const [id, settle] of this.#waiting) {
      settle({ id, error: `it ended with ${exit.code ?? exit.signal ?? 'nothing'}` });
    }
    return exit;
  }
}

async function launch(program: string, cluster: Target, settings: object): Promise<ChildProcess> {
  const file = join(await programs(), `${program}.js`);
  return spawn(process.execPath, [file, JSON.stringify(settings)], {
    env: { ...process.env, KUBECONFIG: cluster.kubeConfigFile, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
}

/** The workers of one test file. */
export class WorkerPool {
  readonly #workers: { kill(): Promise<Exit> }[] = [];
  #isClosed = false;

  /** Starts `program.ts` of this folder, which finds the cluster as any service does: KUBECONFIG. */
  async spawn<C extends Calls>(
    program: string,
    cluster: Target,
    settings: object = {},
  ): Promise<Worker<C>> {
    return this.adopt(new Worker<C>(await launch(program, cluster, settings))).ready();
  }

  /** Runs a program that ends by itself, in time; resolves with what it wrote to standard output. */
  async run(program: string, cluster: Target, settings: object, limitMs: number): Promise<string> {
    const child = await launch(program, cluster, settings);
    const worker = this.adopt(new Worker<Calls>(child));
    let output = '';
    child.stdout?.on('data', (text: string) => (output += text));
    await worker.ended(limitMs);
    return output;
  }

  /** Ends all that still run; for `afterAll`. */
  async killAll(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  /** Takes on a process that was started elsewhere, so that it is ended with the others. */
  adopt<W extends { kill(): Promise<Exit> }>(worker: W): W {
    this.#workers.push(worker);
    // Started by a test that ran out of time meanwhile.
    if (this.#isClosed) void worker.kill();
    return worker;
  }
}
