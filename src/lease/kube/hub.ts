import type { Clock } from '../clock.js';
import type { WatchListener, WatchSubscription } from '../store.js';
import { pathOf } from './store.js';
import type { StreamOpener } from './stream.js';
import { Told } from './told.js';
import { Watcher } from './watcher.js';
import type { LeaseEvent, WatcherListener } from './watcher.js';

export interface HubOptions {
  readonly opener: StreamOpener;
  readonly clock: Clock;
  readonly random: () => number;
  readonly namespace: string;
  /** The watch of a single name is forbidden in this namespace. Told at every refusal. */
  readonly onForbidden: (body: string) => void;
  /** How long until a forbidden watch is tried again; longer with many names. */
  readonly refusedPauseMs: number;
}

interface Subscriber {
  readonly name: string;
  readonly from: bigint | null;
  readonly listener: WatchListener;
  /** The watch of this name alone. */
  narrow: Watcher | null;
  /** The watch of the namespace speaks for this name. */
  isAdopted: boolean;
  /** As last told to the listener. */
  isLive: boolean;
}

/** More names than this in one namespace are cheaper on one connection, noise of others included. */
const MANY_NAMES = 8;
/** So few are cheaper on their own again. The distance keeps one name more or less from mattering. */
const FEW_NAMES = 4;
const MAX_REFUSED_PAUSE_MS = 600_000;

/**
 * All watches of one namespace: one per name while they are few, then a single one of the whole namespace,
 * where that is allowed. While it changes from one to the other both run, so that nothing is missed.
 */
export class NamespaceHub {
  readonly #options: HubOptions;
  readonly #subscribers = new Map<string, Subscriber>();
  #wide: Watcher | null = null;
  #isWideForbidden = false;
  readonly #told = new Told();

  constructor(options: HubOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#subscribers.size === 0;
  }

  subscribe(name: string, from: bigint | null, listener: WatchListener): WatchSubscription {
    const subscriber = { name, from, listener, narrow: null, isAdopted: false, isLive: false };
    this.#subscribers.get(name)?.narrow?.close();
    this.#subscribers.set(name, subscriber);
    if (this.#wide !== null) this.#stayWide(subscriber);
    else if (this.#subscribers.size > MANY_NAMES && !this.#isWideForbidden) this.#widen();
    else this.#openNarrow(subscriber, from);
    return this.#subscription(subscriber);
  }

  /** A request sent at this monotonic time fell silent. */
  doubt(sentAt: number): void {
    for (const watcher of this.#watchers()) watcher.doubt(sentAt);
  }

  close(): void {
    for (const watcher of this.#watchers()) watcher.close();
    this.#subscribers.clear();
  }

  #subscription(subscriber: Subscriber): WatchSubscription {
    return {
      suspect: () => (subscriber.isAdopted ? this.#wide : subscriber.narrow)?.suspect(),
      close: () => this.#remove(subscriber),
    };
  }

  #watchers(): Watcher[] {
    const narrow = [...this.#subscribers.values()].map((subscriber) => subscriber.narrow);
    return [this.#wide, ...narrow].filter((watcher) => watcher !== null);
  }

  #remove(subscriber: Subscriber): void {
    subscriber.narrow?.close();
    if (this.#subscribers.get(subscriber.name) !== subscriber) return;
    this.#subscribers.delete(subscriber.name);
    if (this.#subscribers.size === 0) this.#closeWide();
    else if (this.#subscribers.size <= FEW_NAMES) this.#narrowDown();
  }

  #openNarrow(subscriber: Subscriber, from: bigint | null): void {
    const { name, listener } = subscriber;
    subscriber.narrow = this.#open(`?fieldSelector=metadata.name%3D${name}&`, from, {
      wants: (other) => other === name,
      event: (event) => {
        if (event.kind === 'lease') listener.news(event.news);
      },
      live: () => {
        this.#refresh(subscriber);
        this.#endWide();
      },
      gap: () => listener.gap(),
      refused: (status, body) => {
        if (status === 403) this.#options.onForbidden(body);
      },
    });
  }

  #open(query: string, from: bigint | null, listener: WatcherListener): Watcher {
    const { namespace, opener, clock, random } = this.#options;
    const selection = pathOf({ namespace, name: '' }) + query;
    const isSingle = query !== '?';
    const refusedPauseMs = this.#refusedPauseMs();
    const parts = { opener, clock, random, refusedPauseMs };
    return new Watcher({ ...parts, selection, isSingle, from, listener });
  }

  /** A thousand names that may not be watched must not ask a thousand times a minute. */
  #refusedPauseMs(): number {
    const { refusedPauseMs } = this.#options;
    const share = Math.max(1, this.#subscribers.size / MANY_NAMES);
    const longest = Math.max(refusedPauseMs, MAX_REFUSED_PAUSE_MS);
    return Math.min(refusedPauseMs * share, longest) * (1 + this.#options.random() / 4);
  }

  #widen(): void {
    const known = [...this.#subscribers.values()].map(({ narrow, from }) =>
      narrow === null ? from : narrow.position,
    );
    const from = known.reduce((a, b) => (a === null || b === null ? null : a < b ? a : b));
    this.#told.restart(from);
    this.#wide = this.#open('?', from, {
      wants: (name) => this.#subscribers.has(name),
      event: (event) => this.#tell(event),
      live: () => this.#each((subscriber) => this.#adopt(subscriber)),
      gap: () => {
        this.#told.restart(null);
        this.#each(({ listener }) => listener.gap());
      },
      refused: (status) => {
        if (status === 403) this.#giveUpWide();
      },
    });
  }

  #tell(event: LeaseEvent): void {
    const { name, version } = event;
    if (version !== null) this.#told.note(name, version, this.#wide?.position ?? null);
    if (event.kind === 'lease') this.#subscribers.get(name)?.listener.news(event.news);
  }

  /** The watch of the namespace takes a name over, once it is live. */
  #adopt(subscriber: Subscriber): void {
    if (!subscriber.isAdopted && this.#wide?.isLive === true) {
      const { name, narrow, from, listener } = subscriber;
      const known = narrow === null ? from : narrow.position;
      subscriber.isAdopted = true;
      closeNarrow(subscriber);
      this.#refresh(subscriber);
      if (!this.#told.covers(name, known, this.#wide.position)) listener.gap();
    } else this.#refresh(subscriber);
  }

  /** One more name while the watch of the namespace is there: no way back for now. */
  #stayWide(newcomer: Subscriber): void {
    this.#each((subscriber) => {
      if (subscriber.isAdopted) closeNarrow(subscriber);
    });
    // The caller has not got its subscription yet and expects no news before.
    queueMicrotask(() => {
      if (this.#subscribers.get(newcomer.name) === newcomer) this.#adopt(newcomer);
    });
  }

  #giveUpWide(): void {
    const position = this.#wide?.position ?? null;
    this.#isWideForbidden = true;
    this.#closeWide();
    this.#each((subscriber) => {
      const { narrow, isAdopted, from } = subscriber;
      if (narrow === null) this.#openNarrow(subscriber, isAdopted ? position : from);
      subscriber.isAdopted = false;
      this.#refresh(subscriber);
    });
  }

  /** Names are few again: each gets a watch of its own, from where the one of the namespace stands. */
  #narrowDown(): void {
    const position = this.#wide?.position ?? null;
    if (position === null) return;
    this.#each((subscriber) => {
      if (subscriber.isAdopted && subscriber.narrow === null)
        this.#openNarrow(subscriber, position);
    });
  }

  /** When every name is watched on its own, the watch of the namespace is done. */
  #endWide(): void {
    const all = [...this.#subscribers.values()];
    if (this.#wide === null || !all.every(({ narrow }) => narrow?.isLive === true)) return;
    if (!all.every(({ isAdopted }) => isAdopted)) return;
    this.#closeWide();
    for (const subscriber of all) subscriber.isAdopted = false;
  }

  #closeWide(): void {
    this.#wide?.close();
    this.#wide = null;
  }

  #refresh(subscriber: Subscriber): void {
    if (this.#subscribers.get(subscriber.name) !== subscriber) return;
    const { isAdopted, narrow, isLive } = subscriber;
    const on = narrow?.isLive === true || (isAdopted && this.#wide?.isLive === true);
    if (on === isLive) return;
    subscriber.isLive = on;
    subscriber.listener.live(on);
  }

  #each(act: (subscriber: Subscriber) => void): void {
    for (const subscriber of [...this.#subscribers.values()]) act(subscriber);
  }
}

function closeNarrow(subscriber: Subscriber): void {
  subscriber.narrow?.close();
  subscriber.narrow = null;
}
