import { LeaseClient, Lock, type LockHandle } from '@metaparticle/sync';
import { isSyncError } from '../../../src/errors.js';
import { ElectionWorkload } from './election-workload.js';
import type { SimulatedNode } from './node.js';
import type { ProcessPlan, Work } from './plan.js';
import { guardedWrite, type Context } from './context.js';

type LockWork = Extract<Work, { kind: 'lock' }>;
type LoopWork = Extract<Work, { kind: 'loop' }>;

export const CALLED_OFF = new Error('called off');
const FAILED = new Error('the work failed');

/** `release()` and `close()` settle within 5 s; timers are a little late. */
const SETTLES_MS = 5_050;
const WRITE_EVERY_MS = 700;

/** One run of a service that uses the library, from its start to its end. */
export class Service {
  readonly node: SimulatedNode;
  readonly #plan: ProcessPlan;
  readonly #context: Context;
  readonly #client: LeaseClient;
  readonly #elections = new Set<ElectionWorkload>();
  readonly #stops = new Set<AbortController>();
  readonly #given = new WeakSet<LockHandle>();
  /** What has been called and has not settled. */
  readonly pending = new Set<string>();
  #isClosing = false;
  #calls = 0;

  constructor(plan: ProcessPlan, node: SimulatedNode, context: Context) {
    this.node = node;
    this.#plan = plan;
    this.#context = context;
    this.#client = new LeaseClient({
      kubeConfig: context.network.kubeConfig(node),
      identity: plan.name,
      onWarning: ({ code }) => {
        // When garbage is collected no seed decides.
        if (code !== 'HANDLE_DROPPED') context.count(`warning ${code}`);
      },
    });
  }

  do(work: Work): void {
    switch (work.kind) {
      case 'lock':
        return this.#settles(`${work.how} of ${work.lock}`, this.#lock(work));
      case 'loop':
        return this.#settles(`loop over ${work.lock}`, this.#loop(work));
      case 'election': {
        const isClosing = (): boolean => this.#isClosing;
        const election = new ElectionWorkload(
          work,
          this.#options,
          this.node,
          this.#context,
          isClosing,
        );
        this.#elections.add(election);
        const run = election.run().finally(() => this.#elections.delete(election));
        return this.#settles(`run of ${work.lock}`, run);
      }
      case 'step-down':
        for (const election of this.#elections) {
          if (election.lock !== work.lock) continue;
          this.#settles(`step-down of ${work.lock}`, election.stepDown(work.cooldownMs));
        }
        return;
      case 'close':
        return this.close();
    }
  }

  /** Gives back what is held, and calls off what is waited for. */
  windDown(): void {
    for (const stop of this.#stops) stop.abort(CALLED_OFF);
    for (const election of this.#elections) election.stop();
  }

  /** Waits for a lock without a limit, and releases it soon. */
  compete(lock: string, onWin: () => void): void {
    const lockOf = new Lock(lock, this.#options);
    const run = async (): Promise<void> => {
      const handle = await lockOf.acquire();
      onWin();
      this.#watch(handle, lock);
      await this.node.sleep(20);
      await this.#release(handle);
    };
    const refused = (error: unknown): void =>
      this.#context.violate('4', `${this.node.id} waits for ${lock}: ${String(error)}`);
    this.#settles(`last acquire of ${lock}`, run().catch(refused));
  }

  readonly close = (): void => {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#settles('close', this.#close());
  };

  async #close(): Promise<void> {
    const start = this.node.monotonic();
    await this.#client.close();
    this.#checkPromptness('close()', start);
    await this.node.sleep(1);
    if (this.node.timers > 0) {
      this.#context.violate('close', `${this.node.id} has ${this.node.timers} timers left`);
    }
  }

  get #options() {
    const { trustServerClock, deleteOnRelease } = this.#plan;
    const client = this.#client;
    return { client, trustServerClock, deleteOnRelease, ...this.#context.plan.timings };
  }

  #settles(what: string, promise: Promise<void>): void {
    this.#calls += 1;
    const name = `${what} (${this.#calls})`;
    this.pending.add(name);
    void promise.finally(() => this.pending.delete(name));
  }

  async #lock(work: LockWork): Promise<void> {
    const stop = new AbortController();
    this.#stops.add(stop);
    if (work.abortAfterMs !== null) {
      void this.node.sleep(work.abortAfterMs).then(() => stop.abort(CALLED_OFF));
    }
    try {
      await this.#attempt(work, stop.signal);
    } catch (error) {
      this.#judge(error, work, stop.signal);
    } finally {
      this.#stops.delete(stop);
    }
  }

  async #attempt(work: LockWork, signal: AbortSignal): Promise<void> {
    const lock = new Lock(work.lock, this.#options);
    const { timeoutMs } = work;
    const options = { signal, ...(timeoutMs === null ? {} : { timeoutMs }) };
    switch (work.how) {
      case 'acquire':
        return this.#hold(await lock.acquire(options), work, signal);
      case 'try': {
        const handle = await lock.tryAcquire({ signal });
        return handle === null ? undefined : this.#hold(handle, work, signal);
      }
      case 'with':
      case 'with-failing':
        return this.#within(lock, work, signal, options);
    }
  }

  /** From one release to the next acquisition it waits for its turn. */
  async #loop({ lock, holdMs, longestWaitMs }: LoopWork): Promise<void> {
    const { schedule, waited } = this.#context;
    const stop = new AbortController();
    this.#stops.add(stop);
    const { name } = this.node;
    for (;;) {
      const since = schedule.now;
      const handle = await new Lock(lock, this.#options)
        .acquire({ signal: stop.signal })
        .catch(() => null);
      waited(name, schedule.now - since, longestWaitMs);
      if (handle === null) return;
      this.#context.count(`turn of ${name}`);
      this.#watch(handle, lock);
      await this.node.sleep(holdMs);
      await this.#release(handle);
    }
  }

  async #hold(handle: LockHandle, work: LockWork, signal: AbortSignal): Promise<void> {
    this.#watch(handle, work.lock);
    await this.#work(handle, work, signal);
    await this.#release(handle);
  }

  async #within(
    lock: Lock,
    work: LockWork,
    signal: AbortSignal,
    options: { signal: AbortSignal; timeoutMs?: number },
  ): Promise<void> {
    const isFailing = work.how === 'with-failing';
    const entered: { handle: LockHandle | null } = { handle: null };
    const fn = async ({ handle }: { handle: LockHandle }): Promise<string> => {
      entered.handle = handle;
      this.#watch(handle, work.lock);
      await this.#work(handle, work, signal);
      const isLost = handle.loss !== null;
      this.#given.add(handle);
      if (isFailing) throw FAILED;
      return isLost ? 'lost' : 'held';
    };
    const [result] = await Promise.allSettled([lock.withLock(fn, options)]);
    const { handle } = entered;
    if (handle === null) {
      if (result.status === 'rejected') throw result.reason;
      this.#context.violate('withLock', `${work.lock}: resolved without running`);
      return;
    }
    if (handle.isHeld()) this.#context.violate('withLock', `${work.lock}: held after the end`);
    const isKept = result.status === 'fulfilled' && result.value === 'held' && !isFailing;
    const isFault = result.status === 'rejected' && result.reason === FAILED && isFailing;
    const isLoss =
      result.status === 'rejected' && isSyncError(result.reason, 'ERR_LOCK_LOST') && !isFailing;
    if (isKept || isFault || (isLoss && handle.loss === result.reason)) return;
    this.#context.violate('withLock', `${work.lock}: ended as ${JSON.stringify(result)}`);
  }

  #watch(handle: LockHandle, lock: string): void {
    const { node } = this;
    const { fencingToken: token, signal } = handle;
    this.#context.count('acquisition');
    this.#context.log(`${node.id} holds ${lock} with token ${token}`);
    if (!handle.isHeld() && handle.loss === null) {
      this.#context.violate('acquire', `${lock}: ${node.id} was given what it does not hold`);
    }
    signal.addEventListener('abort', () => {
      const { reason } = signal as { reason: unknown };
      if (handle.isHeld()) this.#context.violate('signal', `${lock}: aborted while held`);
      const why = isSyncError(reason, 'ERR_LOCK_LOST') ? reason.reason : 'no LockLostError';
      this.#context.count(`loss ${why}`);
      this.#context.log(`${node.id} loses ${lock}: ${why}`);
      if (why === 'no LockLostError') this.#context.violate('signal', `${lock}: ${String(reason)}`);
    });
    this.#context.observer.watch({
      ...{ node, lock, token, signal },
      isHeld: () => handle.isHeld(),
      isGivenBack: () => this.#given.has(handle),
    });
  }

  async #work(handle: LockHandle, { lock, holdMs }: LockWork, signal: AbortSignal): Promise<void> {
    const { node } = this;
    for (let left = holdMs; left > 0 && !handle.signal.aborted; left -= WRITE_EVERY_MS) {
      if (signal.aborted && signal.reason === CALLED_OFF) return;
      if (handle.isHeld()) guardedWrite(this.#context, node.id, lock, handle.fencingToken);
      await node.sleep(Math.min(left, WRITE_EVERY_MS));
    }
  }

  async #release(handle: LockHandle): Promise<void> {
    const start = this.node.monotonic();
    // A lock that a closed client gave back is reported as lost, and its release may be confirmed too.
    const wasLost = handle.loss !== null && handle.loss.reason !== 'released';
    const released = handle.release();
    this.#given.add(handle);
    const { node } = this;
    if (handle.isHeld()) this.#context.violate('release', `${handle.name}: held while released`);
    const isConfirmed = await released.catch((error: unknown) => {
      this.#context.violate('release', `${handle.name}: release() rejected: ${String(error)}`);
      return false;
    });
    this.#context.log(`${node.id} released ${handle.name}: ${isConfirmed}`);
    this.#checkPromptness(`release() of ${handle.name}`, start);
    if (isConfirmed && handle.signal.aborted && !this.#isClosing) {
      this.#context.violate('release', `${handle.name}: confirmed, and reported as lost`);
    }
    if (isConfirmed && wasLost) {
      this.#context.violate('release', `${handle.name}: confirmed after a loss`);
    }
  }

  #checkPromptness(what: string, start: number): void {
    const { node } = this;
    const took = node.monotonic() - start;
    // A process that could not run for a while is late through no fault of its own.
    if (took > SETTLES_MS && node.monotonic() - took > node.stalledUntil) {
      this.#context.violate('prompt', `${node.id}: ${what} took ${took.toFixed(0)} ms`);
    }
  }

  /** Whether a refusal has a reason that its caller can know. */
  #judge(error: unknown, work: LockWork, signal: AbortSignal): void {
    const { node } = this;
    const code = isSyncError(error) ? error.code : 'none';
    this.#context.count(`refusal ${error === CALLED_OFF ? 'by the signal' : code}`);
    const hasBans = this.#context.plan.items.some(({ act }) => act.kind === 'ban');
    const isExplained =
      (error === CALLED_OFF && signal.aborted) ||
      (code === 'ERR_ACQUIRE_TIMEOUT' && work.timeoutMs !== null && work.how !== 'try') ||
      (code === 'ERR_CLOSED' && this.#isClosing) ||
      (code === 'ERR_API_UNREACHABLE' && work.how === 'try') ||
      ((code === 'ERR_UNAUTHORIZED' || code === 'ERR_FORBIDDEN') && hasBans);
    if (!isExplained) {
      this.#context.violate('acquire', `${node.id}: ${work.lock} rejected: ${String(error)}`);
    }
  }
}
