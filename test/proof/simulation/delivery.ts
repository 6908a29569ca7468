import type { MemoryResponder } from '../../../src/testing/memory.js';
import type { Headers, Responder } from '../../../src/testing/responder.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { NetworkFaults } from './network-faults.js';
import type { SimulatedNode } from './node.js';
import type { Schedule } from './schedule.js';

/** What a delivery depends on. */
export interface Surroundings {
  readonly schedule: Schedule;
  readonly faults: NetworkFaults;
  readonly prng: Prng;
}

/** The way of an answer back to the process that asked: a whole one, or that of a watch, event by event. */
export class Delivery implements Responder {
  /** The server does not notice that the process is gone, or gave up. */
  readonly isGone = false;
  readonly #node: SimulatedNode;
  readonly #target: MemoryResponder;
  readonly #surroundings: Surroundings;
  /** When what was sent last arrives. */
  #arrivesAt = 0;
  #hasBegun = false;
  #isOver = false;

  constructor(node: SimulatedNode, target: MemoryResponder, surroundings: Surroundings) {
    this.#node = node;
    this.#target = target;
    this.#surroundings = surroundings;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Answers travel on connections of their own, so they may overtake one another. */
  answer(code: number, headers: Headers, body: string): void {
    const { faults, prng, schedule } = this.#surroundings;
    this.#hasBegun = true;
    const met = faults.meet(this.#node.name, 'reply', prng);
    if (met?.fault === 'lost') return;
    if (met?.fault === 'reset')
      return breakConnection(this.#node, this.#target, this.#surroundings);
    schedule.in(latency(prng, met?.fault === 'delayed' ? met.ms : 0, this.#node), () =>
      this.#node.receive(() => {
        if (!this.#target.isGone) this.#target.answer(code, headers, body);
      }),
    );
  }

  begin(code: number, headers: Headers): void {
    this.#hasBegun = true;
    this.#inOrder(() => this.#target.begin(code, headers));
  }

  /** One event of a watch. */
  write(line: string): void {
    if (this.#isOver) return;
    const { faults, prng, schedule } = this.#surroundings;
    const met = faults.meet(this.#node.name, 'watch', prng);
    switch (met?.fault) {
      case 'lost':
        return;
      case 'reset':
        return this.reset();
      case 'delayed':
        this.#arrivesAt = Math.max(this.#arrivesAt, schedule.now + prng.next() * met.ms);
        break;
      case 'twice':
        this.#send(line);
        break;
      case 'again':
        schedule.in(prng.next() * 3_000, () => this.#send(line));
        break;
      case undefined:
    }
    this.#send(line);
  }

  end(): void {
    this.#finish(() => this.#target.end());
  }

  destroy(): void {
    this.reset();
  }

  reset(): void {
    this.#finish(() => this.#target.reset());
  }

  onClose(callback: () => void): void {
    this.#target.onClose(callback);
  }

  #finish(act: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#inOrder(act);
  }

  #send(line: string): void {
    if (this.#isOver) return;
    // Sometimes in two packets.
    const cut = this.#surroundings.prng.is(0.02) ? Math.floor(line.length / 2) : 0;
    this.#inOrder(() => {
      if (cut > 0) this.#target.write(line.slice(0, cut));
      this.#target.write(line.slice(cut));
    });
  }

  /** On one connection nothing overtakes what was sent before. */
  #inOrder(act: () => void): void {
    const { schedule, prng } = this.#surroundings;
    const ms = 0.3 + prng.next() * 4 + wayOf(prng, this.#node);
    this.#arrivesAt = Math.max(this.#arrivesAt, schedule.now + ms);
    schedule.at(this.#arrivesAt, () => this.#node.receive(act));
  }
}

/** The process that asked finds its connection reset, a little later. */
export function breakConnection(
  node: SimulatedNode,
  target: MemoryResponder,
  { schedule, prng }: Pick<Surroundings, 'schedule' | 'prng'>,
): void {
  schedule.in(CONNECT_MS + latency(prng, 0, node), () => node.receive(() => target.reset()));
}

export const CONNECT_MS = 1;

/** Usually a few milliseconds. */
export function latency(prng: Prng, extraMs: number, node: SimulatedNode): number {
  const usual = prng.is(0.95) ? 2 : 20;
  return 0.3 + prng.next() * usual + prng.next() * extraMs + wayOf(prng, node);
}

/** Nothing is drawn for those that are near. */
function wayOf(prng: Prng, { distanceMs }: SimulatedNode): number {
  return distanceMs === 0 ? 0 : distanceMs * prng.between(0.9, 1.3);
}
