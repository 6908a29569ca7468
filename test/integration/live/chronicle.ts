// What contenders wrote in their diaries, read as it grows: beliefs and their ends.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Belief } from '../../proof/history/history.js';
import type { ContenderLine } from '../workers/contender.js';

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
/** Older beliefs overlap with nothing that is still to come. */
const REMEMBERED_MS = 120_000;

export class Chronicle {
  readonly #folder: string;
  readonly #offsets = new Map<string, number>();
  readonly #terms = new Map<string, Open>();
  #losses: Ended[] = [];
  terms = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get beliefs(): Belief[] {
    return [...this.#terms.values()].filter(({ from, until }) => until > from);
  }

  lossesSince(since: number): Ended[] {
    return this.#losses.filter(({ at }) => at >= since);
  }

  /** Reads what is new. */
  async update(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.jsonl')) continue;
      const text = await this.#tail(name);
      const process = name.slice(0, -'.jsonl'.length);
      for (const line of text.split('\n')) {
        if (line !== '') this.#take(process, JSON.parse(line) as ContenderLine);
      }
    }
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
  }

  /** Whole lines only: the last one may still be written. */
  async #tail(name: string): Promise<string> {
    const file = await open(join(this.#folder, name));
    try {
      const from = this.#offsets.get(name) ?? 0;
      const { size } = await file.stat();
      const buffer = Buffer.alloc(size - from);
      await file.read(buffer, 0, buffer.length, from);
      const whole = buffer.subarray(0, buffer.lastIndexOf(0x0a) + 1);
      this.#offsets.set(name, from + whole.length);
      return whole.toString('utf8');
    } finally {
      await file.close();
    }
  }

  #take(process: string, line: ContenderLine): void {
    if (line.event === 'failed') return;
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
