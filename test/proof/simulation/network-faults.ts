import type { Prng } from '../../../tools/harness/random.js';

/** What may happen to a message on its way. */
export type MessageFault =
  /** Never arrives, and its sender is not notified. */
  | 'lost'
  | 'delayed'
  /** The connection breaks while the message is on its way. It may have arrived or not. */
  | 'reset'
  /** For watch events: delivered twice at once; or once more, after later events. */
  | 'twice'
  | 'again';

export type Leg = 'request' | 'reply' | 'watch';

/** For a while, messages of one kind meet a fault. */
export interface Window {
  /** `null`: of all processes. */
  readonly process: string | null;
  readonly leg: Leg;
  readonly fault: MessageFault;
  readonly probability: number;
  /** For delayed messages: the longest delay. */
  readonly ms: number;
}

/** What an API server in trouble does. */
export type Outage =
  /** Accepts requests and does nothing until it resumes. Then all of them are carried out, however late. */
  | 'frozen'
  /** Nothing listens. */
  | 'refused'
  /** 500, sometimes after the write was committed. */
  | 'failing'
  /** 429, sometimes with Retry-After. */
  | 'busy';

/** The faults of the network and of the API server that are in force. */
export class NetworkFaults {
  readonly #windows = new Set<Window>();
  readonly #outages = new Map<object, Outage>();
  readonly #count: (fault: string) => void;
  #frozen: (() => void)[] = [];

  constructor(count: (fault: string) => void) {
    this.#count = count;
  }

  get outage(): Outage | null {
    return [...this.#outages.values()].at(-1) ?? null;
  }

  /** @returns the way to end it */
  open(window: Window): () => void {
    this.#windows.add(window);
    return () => void this.#windows.delete(window);
  }

  /** @returns the way to end it */
  begin(outage: Outage): () => void {
    const key = {};
    this.#outages.set(key, outage);
    return () => {
      this.#outages.delete(key);
      if (this.outage !== 'frozen') this.#resume();
    };
  }

  /** Calls back once the server is no longer frozen. */
  whenResumed(act: () => void): void {
    this.#count('held by a frozen server');
    this.#frozen.push(act);
  }

  /** The fault that a message sent now meets, if any. */
  meet(process: string, leg: Leg, prng: Prng): Window | null {
    for (const window of this.#windows) {
      if (window.leg !== leg || (window.process ?? process) !== process) continue;
      if (!prng.is(window.probability)) continue;
      this.#count(`${leg} ${window.fault}`);
      return window;
    }
    return null;
  }

  clear(): void {
    this.#windows.clear();
    this.#outages.clear();
    this.#resume();
  }

  #resume(): void {
    for (const act of this.#frozen.splice(0)) act();
  }
}
