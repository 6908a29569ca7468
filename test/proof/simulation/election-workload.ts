import { Election, type LeaseClient, type Leading, type StopReason } from '@metaparticle/sync';
import { isSyncError } from '../../../src/errors.js';
import type { SimulatedNode } from './node.js';
import type { Timings, Work } from './plan.js';
import { guardedWrite, type Context } from './context.js';

export const DRAIN_TIMEOUT_MS = 3_000;

type ElectionWork = Extract<Work, { kind: 'election' }>;

interface Options extends Timings {
  readonly client: LeaseClient;
}

const WORK_FAILED = new Error('the leading work failed');
const WRITE_EVERY_MS = 700;

/** One election in one process, and what must be true of its terms. */
export class ElectionWorkload {
  readonly lock: string;
  readonly #work: ElectionWork;
  readonly #node: SimulatedNode;
  readonly #context: Context;
  readonly #election: Election;
  readonly #isClosing: () => boolean;
  readonly #stop = new AbortController();
  #open: Leading | null = null;
  #working = 0;
  #isSteppedDown = false;
  #started = 0;
  #stopped = 0;
  #askedAt = 0;

  constructor(
    work: ElectionWork,
    options: Options,
    node: SimulatedNode,
    context: Context,
    isClosing: () => boolean,
  ) {
    this.#isClosing = isClosing;
    this.lock = work.lock;
    this.#work = work;
    this.#node = node;
    this.#context = context;
    this.#election = new Election(work.lock, {
      ...options,
      drainTimeoutMs: DRAIN_TIMEOUT_MS,
      onStartedLeading: (leading) => this.#lead(leading),
      onStoppedLeading: (reason) => this.#stoppedLeading(reason),
    });
  }

  async run(): Promise<void> {
    void this.#node.sleep(this.#work.forMs).then(() => this.stop());
    try {
      await this.#election.run({ signal: this.#stop.signal });
    } catch (error) {
      this.#judge(error);
    }
    if (this.#election.isLeader()) this.#broken('leads without running');
    if (this.#started !== this.#stopped) {
      this.#broken(`was notified of ${this.#started} terms and of ${this.#stopped} ends`);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async stepDown(cooldownMs: number): Promise<void> {
    this.#isSteppedDown = true;
    await this.#election.stepDown({ cooldownMs });
  }

  async #lead(leading: Leading): Promise<void> {
    this.#began(leading);
    try {
      await this.#act(leading);
    } finally {
      this.#working -= 1;
    }
  }

  #began(leading: Leading): void {
    const { fencingToken: token, signal, lostSignal } = leading;
    const node = this.#node;
    this.#context.count('term');
    this.#context.log(`${node.id} leads ${this.lock} with token ${token}`);
    if (this.#open !== null) this.#broken('leads again before the last end was reported');
    if (this.#working > 0) this.#broken('leads again while its old work goes on');
    if (signal.aborted || lostSignal.aborted) this.#broken('begins with a signal aborted');
    if (!this.#election.isLeader()) this.#broken('is notified to lead and does not');
    if (this.#election.fencingToken !== token) this.#broken('has two tokens');
    this.#open = leading;
    signal.addEventListener('abort', () => (this.#askedAt = node.monotonic()), { once: true });
    this.#isSteppedDown = false;
    this.#working += 1;
    this.#started += 1;
    this.#context.observer.watch({
      ...{ node, lock: this.lock, token, signal: lostSignal },
      isHeld: () => this.#open === leading && this.#election.isLeader(),
      isGivenBack: () => this.#open !== leading,
    });
  }

  async #act({ signal, fencingToken }: Leading): Promise<void> {
    const { failsAfterMs, drainMs } = this.#work;
    const node = this.#node;
    for (let ms = 0; !signal.aborted; ms += WRITE_EVERY_MS) {
      if (failsAfterMs !== null && ms >= failsAfterMs) throw WORK_FAILED;
      this.#write(fencingToken);
      await node.sleep(WRITE_EVERY_MS);
    }
    for (let left = drainMs; left > 0; left -= WRITE_EVERY_MS) {
      this.#write(fencingToken);
      await node.sleep(Math.min(left, WRITE_EVERY_MS));
    }
  }

  #write(token: bigint): void {
    if (this.#election.fencingToken !== token) return;
    guardedWrite(this.#context, this.#node.id, this.lock, token);
  }

  #stoppedLeading(reason: StopReason): void {
    const open = this.#open;
    this.#stopped += 1;
    this.#context.count(`end ${reason}`);
    this.#context.log(`${this.#node.id} stops leading ${this.lock}: ${reason}`);
    if (open === null) return this.#broken(`is notified of an end, ${reason}, without a term`);
    if (this.#election.isLeader()) this.#broken('leads while its end is reported');
    this.#open = null;
    const { signal, lostSignal } = open;
    if (!signal.aborted || !lostSignal.aborted) this.#broken('ended without its signals');
    if (reason === 'stepped-down' && !this.#isSteppedDown) this.#broken('was not asked to');
    if (reason === 'stepped-down' || reason === 'aborted') this.#checkDrain();
  }

  /** What ends by wish ends with its work, or after the time that its work was given. */
  #checkDrain(): void {
    if (this.#working === 0 || this.#isClosing()) return;
    const drained = this.#node.monotonic() - this.#askedAt;
    if (drained < DRAIN_TIMEOUT_MS - 1)
      this.#broken(`let go ${drained.toFixed(0)} ms into its work`);
  }

  #judge(error: unknown): void {
    const code = isSyncError(error) ? error.code : 'none';
    const hasBans = this.#context.plan.items.some(({ act }) => act.kind === 'ban');
    const isExplained =
      (error === WORK_FAILED && this.#work.failsAfterMs !== null) ||
      code === 'ERR_CLOSED' ||
      ((code === 'ERR_UNAUTHORIZED' || code === 'ERR_FORBIDDEN') && hasBans);
    if (!isExplained) this.#broken(`run() rejected: ${String(error)}`);
  }

  #broken(what: string): void {
    this.#context.violate('election', `${this.lock}: ${this.#node.id} ${what}`);
  }
}
