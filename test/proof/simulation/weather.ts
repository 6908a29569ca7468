import type { Prng } from '../../../tools/harness/random.js';

/** What may happen to a message on its way. */
export type Trouble =
  /** Never arrives; nobody is told. */
  | 'lost'
  | 'delayed'
  /** The connection breaks while it is on its way; it may have arrived or not. */
  | 'reset'
  /** For watch events: arrives twice; or once more, after later ones. */
  | 'twice'
  | 'again';

export type Leg = 'request' | 'reply' | 'watch';

/** For a while, messages of one kind fare badly. */
export interface Window {
  /** `null` for everybody. */
  readonly process: string | null;
  readonly leg: Leg;
  readonly trouble: Trouble;
  readonly chance: number;
  /** For what is delayed: at most so long. */
  readonly ms: number;
}

/** What an API server in trouble does. */
export type Outage =
  /** Takes everything in and does nothing until it thaws: then all that was sent lands, however late. */
  | 'frozen'
  /** Nothing listens. */
  | 'refused'
  /** 500, sometimes after the write was committed. */
  | 'failing'
  /** 429, at times with Retry-After. */
  | 'busy';

/** The faults of now. */
export class Weather {
  readonly #windows = new Set<Window>();
  readonly #outages = new Map<object, Outage>();
  readonly #count: (fault: string) => void;
  #onThaw: (() => void)[] = [];

  constructor(count: (fault: string) => void) {
    this.#count = count;
  }

  get outage(): Outage | null {
    return [...this.#outages.values()].at(-1) ?? null;
  }

  open(window: Window): () => void {
    this.#windows.add(window);
    return () => void this.#windows.delete(window);
  }

  begin(outage: Outage): () => void {
    const key = {};
    this.#outages.set(key, outage);
    return () => {
      this.#outages.delete(key);
      if (this.outage === 'frozen') return;
      const waiting = this.#onThaw;
      this.#onThaw = [];
      for (const act of waiting) act();
    };
  }

  /** Calls back once the server is not frozen, or at once. */
  whenThawed(act: () => void): void {
    if (this.outage === 'frozen') {
      this.#count('held by a frozen server');
      this.#onThaw.push(act);
    } else act();
  }

  /** The trouble that befalls a message of now, if any. */
  roll(process: string, leg: Leg, chance: Prng): Window | null {
    for (const window of this.#windows) {
      if (window.leg !== leg || (window.process ?? process) !== process) continue;
      if (!chance.is(window.chance)) continue;
      this.#count(`${leg} ${window.trouble}`);
      return window;
    }
    return null;
  }

  clear(): void {
    this.#windows.clear();
    this.#outages.clear();
    const waiting = this.#onThaw;
    this.#onThaw = [];
    for (const act of waiting) act();
  }
}
