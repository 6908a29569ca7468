import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnsupportedLeaseError, type SyncError } from '../errors.js';
import { systemClock } from '../lease/clock.js';
import { stampAfter, tenure, vacancy } from '../lease/protocol/step.js';
import { keyOf, type Change, type Lease, type LeaseKey } from '../lease/record.js';
import { resolveOptions } from '../options.js';
import type { LeaseStore, Refused, Unknown, WriteOutcome } from '../lease/store.js';

const LIMIT_MS = 5_000;
/** A holder renews every few seconds, so races are lost now and then, not again and again. */
const MOST_ATTEMPTS = 10;
const PAUSE_MS = 250;
const NOTHING = { labels: {}, annotations: {}, ownerReferences: [] };

/**
 * Takes a held lease by the rules of the protocol but one, that of waiting first: each write names the uid and the
 * version that it replaces, and the token of the new term is the version that it replaced.
 */
export class Seizure {
  readonly #store: LeaseStore;
  readonly #key: LeaseKey;
  readonly #identity: string;
  readonly #nonce = randomBytes(12).toString('base64url');
  /** As last read; `null` when there is none. */
  lease: Lease | null = null;

  constructor(store: LeaseStore, key: LeaseKey, identity: string) {
    this.#store = store;
    this.#key = key;
    this.#identity = identity;
  }

  /**
   * @param isWanted whether it is to be taken from the one who has it
   * @returns as it was before, or `null` when it was not taken
   * @throws the error of a server that refuses, or does not answer
   */
  async take(isWanted: (lease: Lease) => boolean): Promise<Lease | null> {
    let before: Lease | null = null;
    let failure: SyncError | null = null;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const lease = await this.#read();
      if (lease === null) return null;
      if (lease.mark?.nonce === this.#nonce) return before;
      if (!isWanted(lease)) return null;
      before = lease;
      failure = failureOf(await this.#write(lease, this.#claim(lease)));
      if (failure !== null) await sleep(PAUSE_MS);
    }
    throw failure ?? new UnsupportedLeaseError(keyOf(this.#key), 'it changes too fast to be taken');
  }

  /** Gives it free, unless somebody else has it by then. */
  async vacate(): Promise<void> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const lease = await this.#read();
      if (lease?.mark?.nonce !== this.#nonce) return;
      const { renewTime, transitions } = lease.record;
      const vacant = vacancy(stampAfter(0, renewTime, systemClock.now()), transitions);
      const failure = failureOf(await this.#write(lease, vacant));
      if (failure !== null) await sleep(PAUSE_MS);
    }
  }

  #claim(lease: Lease): Change {
    const { key, record, version } = lease;
    if (version === null) {
      throw new UnsupportedLeaseError(keyOf(key), 'its resourceVersion is no number');
    }
    const stamp = stampAfter(0, record.renewTime, systemClock.now());
    const [identity, nonce, durationMs] = [this.#identity, this.#nonce, durationOf(lease)];
    return tenure({ lease, version }, stamp, { identity, nonce, durationMs });
  }

  async #read(): Promise<Lease | null> {
    const outcome = await this.#store.read(this.#key, options());
    if (outcome.kind === 'unknown' || outcome.kind === 'refused') throw outcome.error;
    this.lease = outcome.kind === 'found' ? outcome.lease : null;
    return this.lease;
  }

  #write(base: Lease, change: Change): Promise<WriteOutcome> {
    return this.#store.write(base, change, NOTHING, options());
  }
}

/** How long its holder may believe in it; where none is named, as long as ours do. */
export function durationOf({ record }: Lease): number {
  return record.durationMs ?? resolveOptions({}).leaseDurationMs;
}

function options() {
  return { deadline: systemClock.monotonic() + LIMIT_MS, limitMs: LIMIT_MS };
}

/** What became of a write that is in doubt, the next read tells. */
function failureOf(outcome: WriteOutcome): SyncError | null {
  const { error } = outcome as Partial<Refused | Unknown>;
  if (outcome.kind === 'refused' && !outcome.transient) throw outcome.error;
  return error ?? null;
}
