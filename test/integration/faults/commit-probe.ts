// What is committed, as watches on paths show it that no fault touches: one on each API server, so that no
// outage of one of them hides anything.
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient } from '../../../tools/harness/raw.js';
import type { RawTarget, RawWatch, WatchEvent } from '../../../tools/harness/raw.js';
import { now } from '../../../tools/harness/processes/time.js';

export interface Version {
  /** `namespace/name` */
  readonly lease: string;
  /** When the holder's last word came here: other edits are none of it. */
  readonly at: number;
  readonly renewTime: unknown;
  readonly version: bigint;
  /** Empty when no process holds it, and when it is deleted. */
  readonly holder: string;
}

/** A holder was followed by another one without having let go. */
export interface Takeover {
  readonly lease: string;
  readonly from: string;
  readonly to: string;
  readonly at: number;
  /** Since the last commit of the one before. */
  readonly afterMs: number;
}

const LEASES = '/apis/coordination.k8s.io/v1/leases';
const AGAIN_MS = 200;
const SILENT_MS = 1_000;
const KEPT = 500;

export class CommitProbe {
  readonly #newest = new Map<string, Version>();
  #takeovers: Takeover[] = [];
  #isClosed = false;
  readonly #clients: RawClient[];

  constructor(targets: readonly RawTarget[]) {
    this.#clients = targets.map((target) => new RawClient(target));
    for (const client of this.#clients) void this.#follow(client);
  }

  newest(lease: string): Version | undefined {
    return this.#newest.get(lease);
  }

  /** Those since a time; only the latest are kept. */
  takeoversSince(since: number): Takeover[] {
    return this.#takeovers.filter(({ at }) => at >= since);
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#clients) client.close();
  }

  async #follow(client: RawClient): Promise<void> {
    while (!this.#isClosed) {
      try {
        const watch = await client.watch(
          `${LEASES}?watch=true&timeoutSeconds=300&resourceVersion=0`,
        );
        await this.#read(watch);
      } catch {
        // Its server is down: the other one is not, or nothing is committed anyway.
      }
      await sleep(AGAIN_MS);
    }
  }

  async #read(watch: RawWatch): Promise<void> {
    while (!this.#isClosed) {
      const event = await watch.next(SILENT_MS);
      if (event === 'end') return;
      if (event !== 'silent') this.#take(event);
    }
  }

  #take({ type, object: { metadata, spec } }: WatchEvent): void {
    if (type === 'ERROR') return;
    const lease = `${String(metadata['namespace'])}/${metadata.name}`;
    const holderNow = typeof spec?.['holderIdentity'] === 'string' ? spec['holderIdentity'] : '';
    const holder = type === 'DELETED' ? '' : holderNow;
    const version = BigInt(metadata.resourceVersion);
    const before = this.#newest.get(lease);
    if (before !== undefined && before.version >= version) return;
    const renewTime = spec?.['renewTime'];
    const isWord = before?.holder !== holder || before.renewTime !== renewTime;
    const at = isWord ? now() : before.at;
    this.#newest.set(lease, { lease, at, version, holder, renewTime });
    if (before === undefined || [before.holder, ''].includes(holder) || before.holder === '')
      return;
    const afterMs = at - before.at;
    this.#takeovers.push({ lease, from: before.holder, to: holder, at, afterMs });
    this.#takeovers = this.#takeovers.slice(-KEPT);
  }
}
