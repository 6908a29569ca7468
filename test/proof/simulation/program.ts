import { Lock, type LeaseClient, type LockHandle, type SyncWarning } from '@metaparticle/sync';
import { clientOn } from '../../../src/client.js';
import { isSyncError } from '../../../src/errors.js';
import { LeaseHost } from '../../../src/lease/host.js';
import { connectThrough } from '../../../src/lease/kube/connect.js';
import { Campaign } from './campaign.js';
import type { Machine } from './machine.js';
import type { ProcessPlan, Work } from './plan.js';
import { guardedWrite, type Stage } from './stage.js';

type LockWork = Extract<Work, { kind: 'lock' }>;

export const CALLED_OFF = new Error('called off');
const FAILED = new Error('the work failed');

/** `release()` and `close()` settle within 5 s; timers are a little late. */
const SETTLES_MS = 5_050;
const WRITE_EVERY_MS = 700;

/** One run of a service that uses the library, from its start to its end. */
export class Program {
  readonly machine: Machine;
  readonly #plan: ProcessPlan;
  readonly #stage: Stage;
  readonly #client: LeaseClient;
  readonly #campaigns = new Set<Campaign>();
  readonly #stops = new Set<AbortController>();
  readonly #given = new WeakSet<LockHandle>();
  /** What has been called and has not settled. */
  readonly pending = new Set<string>();
  #isClosing = false;
  #calls = 0;

  constructor(plan: ProcessPlan, machine: Machine, stage: Stage) {
    this.machine = machine;
    this.#plan = plan;
    this.#stage = stage;
    const clock = machine;
    const warn = ({ code }: SyncWarning): void => stage.count(`warning ${code}`);
    const ports = { clock, random: stage.chance.next, warn };
    const host = new LeaseHost({
      ...ports,
      connect: () => Promise.resolve(connectThrough(stage.network.route(machine), ports)),
    });
    this.#client = clientOn(host, { identity: plan.name, onWarning: warn });
  }

  do(work: Work): void {
    switch (work.kind) {
      case 'lock':
        return this.#settles(`${work.how} of ${work.lock}`, this.#lock(work));
      case 'campaign': {
        const isClosing = (): boolean => this.#isClosing;
        const campaign = new Campaign(work, this.#options, this.machine, this.#stage, isClosing);
        this.#campaigns.add(campaign);
        const run = campaign.run().finally(() => this.#campaigns.delete(campaign));
        return this.#settles(`run of ${work.lock}`, run);
      }
      case 'step-down':
        for (const campaign of this.#campaigns) {
          if (campaign.lock !== work.lock) continue;
          this.#settles(`step-down of ${work.lock}`, campaign.stepDown(work.cooldownMs));
        }
        return;
      case 'close':
        return this.close();
    }
  }

  /** Everybody has had enough: what is held is given back, what is waited for is called off. */
  windDown(): void {
    for (const stop of this.#stops) stop.abort(CALLED_OFF);
    for (const campaign of this.#campaigns) campaign.stop();
  }

  /** Waits for a lock for however long it takes, and gives it back soon. */
  compete(lock: string, onWin: () => void): void {
    const lockOf = new Lock(lock, this.#options);
    const run = async (): Promise<void> => {
      const handle = await lockOf.acquire();
      onWin();
      this.#watch(handle, lock);
      await this.machine.sleep(20);
      await this.#release(handle);
    };
    const refused = (error: unknown): void =>
      this.#stage.violate('4', `${this.machine.id} waits for ${lock}: ${String(error)}`);
    this.#settles(`last acquire of ${lock}`, run().catch(refused));
  }

  readonly close = (): void => {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#settles('close', this.#close());
  };

  async #close(): Promise<void> {
    const start = this.machine.monotonic();
    await this.#client.close();
    this.#checkPromptness('close()', start);
    await this.machine.sleep(1);
    if (this.machine.timers > 0) {
      this.#stage.violate('close', `${this.machine.id} has ${this.machine.timers} timers left`);
    }
  }

  get #options() {
    const { trustServerClock, deleteOnRelease } = this.#plan;
    const client = this.#client;
    return { client, trustServerClock, deleteOnRelease, ...this.#stage.plan.timings };
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
      void this.machine.sleep(work.abortAfterMs).then(() => stop.abort(CALLED_OFF));
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
      this.#stage.violate('withLock', `${work.lock}: resolved without running`);
      return;
    }
    if (handle.isHeld()) this.#stage.violate('withLock', `${work.lock}: held after the end`);
    const isKept = result.status === 'fulfilled' && result.value === 'held' && !isFailing;
    const isFault = result.status === 'rejected' && result.reason === FAILED && isFailing;
    const isLoss =
      result.status === 'rejected' && isSyncError(result.reason, 'ERR_LOCK_LOST') && !isFailing;
    if (isKept || isFault || (isLoss && handle.loss === result.reason)) return;
    this.#stage.violate('withLock', `${work.lock}: ended as ${JSON.stringify(result)}`);
  }

  #watch(handle: LockHandle, lock: string): void {
    const { machine } = this;
    const { fencingToken: token, signal } = handle;
    this.#stage.count('acquisition');
    this.#stage.tell(`${machine.id} holds ${lock} with token ${token}`);
    if (!handle.isHeld() && handle.loss === null) {
      this.#stage.violate('acquire', `${lock}: ${machine.id} was given what it does not hold`);
    }
    signal.addEventListener('abort', () => {
      const { reason } = signal as { reason: unknown };
      if (handle.isHeld()) this.#stage.violate('signal', `${lock}: aborted while held`);
      const why = isSyncError(reason, 'ERR_LOCK_LOST') ? reason.reason : 'no LockLostError';
      this.#stage.count(`loss ${why}`);
      this.#stage.tell(`${machine.id} loses ${lock}: ${why}`);
      if (why === 'no LockLostError') this.#stage.violate('signal', `${lock}: ${String(reason)}`);
    });
    this.#stage.witness.watch({
      ...{ machine, lock, token, signal },
      isHeld: () => handle.isHeld(),
      isGivenBack: () => this.#given.has(handle),
    });
  }

  async #work(handle: LockHandle, { lock, holdMs }: LockWork, signal: AbortSignal): Promise<void> {
    const { machine } = this;
    for (let left = holdMs; left > 0 && !handle.signal.aborted; left -= WRITE_EVERY_MS) {
      if (signal.aborted && signal.reason === CALLED_OFF) return;
      if (handle.isHeld()) guardedWrite(this.#stage, machine.id, lock, handle.fencingToken);
      await machine.sleep(Math.min(left, WRITE_EVERY_MS));
    }
  }

  async #release(handle: LockHandle): Promise<void> {
    const start = this.machine.monotonic();
    // One that a closed client gave back is told as lost, and may be confirmed all the same.
    const wasLost = handle.loss !== null && handle.loss.reason !== 'released';
    const released = handle.release();
    this.#given.add(handle);
    const { machine } = this;
    if (handle.isHeld()) this.#stage.violate('release', `${handle.name}: held while released`);
    const isConfirmed = await released.catch((error: unknown) => {
      this.#stage.violate('release', `${handle.name}: release() rejected: ${String(error)}`);
      return false;
    });
    this.#stage.tell(`${machine.id} released ${handle.name}: ${isConfirmed}`);
    this.#checkPromptness(`release() of ${handle.name}`, start);
    if (isConfirmed && handle.signal.aborted && !this.#isClosing) {
      this.#stage.violate('release', `${handle.name}: confirmed, and told as lost`);
    }
    if (isConfirmed && wasLost) {
      this.#stage.violate('release', `${handle.name}: confirmed after a loss`);
    }
  }

  #checkPromptness(what: string, start: number): void {
    const { machine } = this;
    const took = machine.monotonic() - start;
    // Who could not run for a while is late, and cannot help it.
    if (took > SETTLES_MS && machine.monotonic() - took > machine.stalledUntil) {
      this.#stage.violate('prompt', `${machine.id}: ${what} took ${took.toFixed(0)} ms`);
    }
  }

  /** Whether a refusal has a reason that its caller can know. */
  #judge(error: unknown, work: LockWork, signal: AbortSignal): void {
    const { machine } = this;
    const code = isSyncError(error) ? error.code : 'none';
    this.#stage.count(`refusal ${error === CALLED_OFF ? 'by the signal' : code}`);
    const hasBans = this.#stage.plan.items.some(({ act }) => act.kind === 'ban');
    const isExplained =
      (error === CALLED_OFF && signal.aborted) ||
      (code === 'ERR_ACQUIRE_TIMEOUT' && work.timeoutMs !== null && work.how !== 'try') ||
      (code === 'ERR_CLOSED' && this.#isClosing) ||
      (code === 'ERR_API_UNREACHABLE' && work.how === 'try') ||
      ((code === 'ERR_UNAUTHORIZED' || code === 'ERR_FORBIDDEN') && hasBans);
    if (!isExplained) {
      this.#stage.violate('acquire', `${machine.id}: ${work.lock} rejected: ${String(error)}`);
    }
  }
}
