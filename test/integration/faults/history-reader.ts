// Reads the history logs of nodes as they grow: beliefs and their ends.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Belief } from '../../../tools/harness/history/history.js';
import type { WorkloadLine } from '../../../tools/harness/processes/workload.js';
import { now } from '../../../tools/harness/processes/time.js';

export interface Ended {
  readonly process: string;
  readonly lease: string;
  readonly at: number;
  /** `released` and `withdrawn` by its own wish, else why it was lost. */
  readonly reason: string;
}

interface Open {
  readonly process: string;
  readonly lock: string;
  readonly term: string;
  readonly token: bigint;
  readonly from: number;
  until: number;
}

const BY_OWN_WISH = ['released', 'withdrawn', 'left'];
/** A line tells when something was, and is written a little later: by a process that had to wait, later still. */
const LATE_MS = 1_000;
/** Older beliefs overlap with nothing that is still to come. */
const REMEMBERED_MS = 120_000;

export class HistoryReader {
  readonly #folder: string;
  readonly #offsets = new Map<string, number>();
  readonly #terms = new Map<string, Open>();
  readonly #retired = new Set<string>();
  #losses: Ended[] = [];
  #starved: { readonly process: string; readonly from: number; readonly until: number }[] = [];
  #updating = Promise.resolve();
  #completeUntil = 0;
  /** How many there were. */
  terms = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get beliefs(): Belief[] {
    return [...this.#terms.values()].filter(({ from, until }) => until > from);
  }

  /** All that was written down before is known; of what came later, one log may report more than another. */
  get completeUntil(): number {
    return this.#completeUntil;
  }

  lossesSince(since: number): Ended[] {
    return this.#losses.filter(({ at }) => at >= since);
  }

  /** For how long between two times this process could do nothing, in stretches that matter. */
  starvedMs(process: string, from: number, until: number): number {
    const all = this.#starved.filter((one) => one.process === process);
    const parts = all.map((one) => Math.min(one.until, until) - Math.max(one.from, from));
    return parts.reduce((sum, ms) => sum + Math.max(0, ms), 0);
  }

  /** One that comes from elsewhere. */
  add(belief: Belief): void {
    this.#terms.set(`${belief.lock} ${belief.term}`, { ...belief });
    this.terms += 1;
  }

  /** Reads this process's log from now on. */
  follow(process: string): void {
    this.#offsets.set(process, 0);
  }

  /** It has ended: its log is read once more, and no longer. */
  retire(process: string): void {
    this.#retired.add(process);
  }

  /** Reads what is new. */
  async update(): Promise<void> {
    this.#updating = this.#updating.then(() => this.#readAll());
    await this.#updating;
  }

  /** Forgets what is long over, so that memory stays bounded; the newest of each lease stays. */
  forget(at: number): void {
    const highest = new Map<string, bigint>();
    for (const { lock, token } of this.#terms.values()) {
      if (token > (highest.get(lock) ?? 0n)) highest.set(lock, token);
    }
    for (const [key, { lock, token, until }] of this.#terms) {
      if (until < at - REMEMBERED_MS && token !== highest.get(lock)) this.#terms.delete(key);
    }
    this.#losses = this.#losses.filter((loss) => loss.at > at - REMEMBERED_MS);
    this.#starved = this.#starved.filter(({ until }) => until > at - REMEMBERED_MS);
  }

  async #readAll(): Promise<void> {
    const startedAt = now();
    for (const [process, from] of this.#offsets) {
      const isOver = this.#retired.delete(process);
      const text = await this.#tail(process, from);
      for (const line of text.split('\n')) {
        if (line !== '') this.#take(process, JSON.parse(line) as WorkloadLine);
      }
      if (isOver) this.#offsets.delete(process);
      else this.#offsets.set(process, from + Buffer.byteLength(text));
    }
    this.#completeUntil = startedAt - LATE_MS;
  }

  /** Whole lines only: the last one may still be written. */
  async #tail(process: string, from: number): Promise<string> {
    const file = await open(join(this.#folder, `${process}.jsonl`));
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(size - from);
      await file.read(buffer, 0, buffer.length, from);
      return buffer.subarray(0, buffer.lastIndexOf(0x0a) + 1).toString('utf8');
    } finally {
      await file.close();
    }
  }

  #take(process: string, line: WorkloadLine): void {
    if (line.event === 'failed') return;
    if (line.event === 'starved') {
      this.#starved.push({ process, from: line.since, until: line.at });
      return;
    }
    const { at, lease, event } = line;
    const key = `${lease} ${line.term}`;
    if (event === 'won') {
      const { term, until } = line;
      const token = BigInt(line.token);
      this.#terms.set(key, { process, lock: lease, term, token, from: at, until });
      this.terms += 1;
      return;
    }
    const known = this.#terms.get(key);
    if (known === undefined) return;
    if (event === 'extended') {
      known.until = Math.max(known.until, line.until);
      return;
    }
    known.until = Math.min(known.until, at);
    if (!BY_OWN_WISH.includes(line.reason)) {
      this.#losses.push({ process, lease, at, reason: line.reason });
    }
  }
}
