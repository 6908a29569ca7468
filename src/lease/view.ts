import type { Clock } from './clock.js';
import type { Lease, LeaseKey } from './record.js';
import {
  lostClaim,
  measured,
  noContention,
  paceOf,
  sawChange,
  type Contention,
  type Pace,
} from './protocol/contention.js';
import { nothingSeen, observe, type News, type Sight } from './protocol/sight.js';
import type { LeaseWatch, WatchSubscription } from './store.js';
import { Turns } from './turns.js';

export interface ViewListener {
  /** Nonce of the listening attempt; `null` for one who only looks on. */
  readonly nonce: string | null;
  /** The sight changed. */
  news(): void;
  watch(live: boolean, gap: boolean): void;
}

/** A watch is kept so long after its last listener, so that taking a lock in a row opens only one. */
export const LINGER_MS = 30_000;

/** A lost term's record may stand for a duration after it: long enough to see it as a stranger's. */
const REMEMBERED_NONCES = 64;

export interface ViewPorts {
  readonly watch: LeaseWatch;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/**
 * What one client knows of one lease, shared by all attempts at it: the sight, the contention, the watch and
 * the local queue. Everybody's news comes through {@link LeaseView.learn}; it alone judges what is new.
 */
export class LeaseView {
  readonly turns = new Turns();
  readonly #listeners = new Set<ViewListener>();
  readonly #nonces = new Set<string>();
  #sight: Sight = nothingSeen;
  #contention: Contention = noContention;
  #subscription: WatchSubscription | null = null;
  #live = false;
  #stopLingering: (() => void) | null = null;

  constructor(
    readonly key: LeaseKey,
    readonly ports: ViewPorts,
    /** Called when nobody has listened for a while. */
    readonly onIdle: () => void,
  ) {}

  get sight(): Sight {
    return this.#sight;
  }

  /** Identity of the holder last seen; `null` when vacant or unknown. */
  get holder(): string | null {
    return this.#sight.kind === 'present' ? this.#sight.lease.record.holder || null : null;
  }

  /** Whether the holder last seen is an attempt of this client. */
  get isHeldHere(): boolean {
    const nonce = this.#sight.kind === 'present' ? this.#sight.lease.mark?.nonce : undefined;
    return nonce !== undefined && this.isLocal(nonce);
  }

  learn(news: News): void {
    const before = this.#sight;
    this.#sight = observe(before, news, this.ports.clock.monotonic());
    if (this.#sight === before) return;
    this.#contention = sawChange(this.#contention, before, this.#sight);
    // Whoever looks on is told when those who hold or want it know already.
    const all = [...this.#listeners];
    const [attempts, lookers] = [all.filter(isAttempt), all.filter((one) => !isAttempt(one))];
    for (const listener of [...attempts, ...lookers]) listener.news();
  }

  /** A claim onto this version met another one. */
  lostClaim(base: Lease): void {
    this.#contention = lostClaim(this.#contention, base, this.#sight);
  }

  /** A request was answered this long after it left. */
  measured(tookMs: number): void {
    this.#contention = measured(this.#contention, tookMs);
  }

  /** What an attempt of this identity goes by after the news just learnt. */
  paceOf(identity: string): Pace {
    return paceOf(this.#contention, identity, this.ports.random());
  }

  /** Whether the nonce belongs to an attempt of this client, of now or not long ago. */
  isLocal(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** @returns the way to leave */
  join(listener: ViewListener): () => void {
    this.#stopLingering?.();
    this.#stopLingering = null;
    this.#listeners.add(listener);
    this.#remember(listener.nonce);
    this.#subscribe();
    if (this.#live) listener.watch(true, false);
    return () => this.#leave(listener);
  }

  /** The watch was silent for too long. */
  suspect(): void {
    this.#subscription?.suspect();
  }

  close(): void {
    this.#stopLingering?.();
    this.#stopLingering = null;
    this.#subscription?.close();
    this.#subscription = null;
    this.#live = false;
  }

  #remember(nonce: string | null): void {
    if (nonce === null) return;
    this.#nonces.add(nonce);
    if (this.#nonces.size <= REMEMBERED_NONCES) return;
    const joined = new Set([...this.#listeners].map((listener) => listener.nonce));
    const oldest = [...this.#nonces].find((one) => !joined.has(one));
    if (oldest !== undefined) this.#nonces.delete(oldest);
  }

  #leave(listener: ViewListener): void {
    this.#listeners.delete(listener);
    // Once closed there is no watch to keep, and nobody who comes back.
    const isWatching = this.#subscription !== null;
    if (!isWatching || this.#listeners.size > 0 || this.#stopLingering !== null) return;
    this.#stopLingering = this.ports.clock.after(LINGER_MS, () => {
      this.close();
      this.onIdle();
    });
  }

  #subscribe(): void {
    const from = this.#sight.kind === 'present' ? this.#sight.version : null;
    this.#subscription ??= this.ports.watch.subscribe(this.key, from, {
      news: (news) => this.learn({ ...news, asked: null }),
      live: (on) => {
        this.#live = on;
        this.#tell(on, false);
      },
      gap: () => this.#tell(this.#live, true),
    });
  }

  #tell(live: boolean, gap: boolean): void {
    for (const listener of [...this.#listeners]) listener.watch(live, gap);
  }
}

function isAttempt({ nonce }: ViewListener): boolean {
  return nonce !== null;
}
