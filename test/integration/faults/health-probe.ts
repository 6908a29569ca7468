// Probes the API servers and this process on paths that no fault touches: no node is to blame for what the probe got no
// answer from either.
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient } from '../../../tools/harness/raw.js';
import type { RawTarget } from '../../../tools/harness/raw.js';
import { now } from '../../../tools/harness/processes/time.js';

interface Silence {
  readonly from: number;
  readonly until: number;
}

const PATH = '/api/v1/namespaces/default';
const EVERY_MS = 100;
/** Shorter ones are of every day. */
const NOTED_MS = 300;
const RUN_EVERY_MS = 20;
const STARVED_MS = 150;
const KEPT_MS = 120_000;

export class HealthProbe {
  #silences: Silence[] = [];
  /** This process, through which all that is between the others passes, did not run. */
  #starved: Silence[] = [];
  #ranAt = now();
  readonly #running = setInterval(() => this.#run(), RUN_EVERY_MS);
  /** Since when there has been no answer, by server. */
  readonly #since = new Map<RawClient, number>();
  readonly #clients: readonly RawClient[];
  #isClosed = false;

  constructor(targets: readonly RawTarget[]) {
    this.#clients = targets.map((target) => new RawClient(target));
    for (const client of this.#clients) void this.#feel(client);
  }

  /** The longest one that was there at any moment from the one to the other. */
  longestSilenceMs(from: number, until: number): number {
    const open = [...this.#since.values()].map((since) => ({ from: since, until: now() }));
    const then = [...this.#silences, ...open].filter(
      (one) => one.until >= from && one.from <= until,
    );
    return Math.max(0, ...then.map((one) => one.until - one.from));
  }

  /** For how long between two times, in stretches that matter, everything that passes through here stood still. */
  starvedMs(from: number, until: number): number {
    const parts = this.#starved.map((one) => Math.min(one.until, until) - Math.max(one.from, from));
    return parts.reduce((sum, ms) => sum + Math.max(0, ms), 0);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#running);
    for (const client of this.#clients) client.close();
  }

  async #feel(client: RawClient): Promise<void> {
    while (!this.#isClosed) {
      const since = this.#since.get(client) ?? now();
      this.#since.set(client, since);
      const isAnswered = await client.request('GET', PATH).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (isAnswered) {
        this.#since.delete(client);
        this.#note({ from: since, until: now() });
      }
      await sleep(EVERY_MS);
    }
  }

  #note(silence: Silence): void {
    if (silence.until - silence.from < NOTED_MS) return;
    this.#silences = [...this.#silences.filter(isFresh), silence];
  }

  #run(): void {
    const from = this.#ranAt;
    this.#ranAt = now();
    if (this.#ranAt - from < STARVED_MS) return;
    this.#starved = [...this.#starved.filter(isFresh), { from, until: this.#ranAt }];
  }
}

function isFresh({ until }: Silence): boolean {
  return until > now() - KEPT_MS;
}
