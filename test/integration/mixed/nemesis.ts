// The nemesis of a mixed run: it kills candidates, pauses them, and makes them resign.
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../../tools/harness/random.js';
import type { Slot } from './slots.js';

/** Decides by a seed; when it decides depends on the machine as well. */
export class Nemesis {
  readonly counts: Record<string, number> = {};
  readonly #random: () => number;
  readonly #slots: readonly Slot[];
  readonly #leaseMs: number;
  readonly #underWay = new Set<Promise<void>>();

  constructor(slots: readonly Slot[], leaseMs: number, seed: number) {
    this.#leaseMs = leaseMs;
    this.#slots = slots;
    this.#random = seededRandom(seed);
  }

  /** @param goesOn asked before each step  @param leader identity of the candidate that leads, or empty */
  async run(goesOn: () => boolean, leader: () => string): Promise<void> {
    while (goesOn()) {
      await sleep(this.#between(1_000, 3_000));
      const idle = this.#slots.filter(({ isBusy }) => !isBusy);
      const leading = idle.find(({ identity }) => identity === leader());
      const anyone = idle[Math.floor(this.#random() * idle.length)];
      // Mostly the one whose end of term matters.
      const slot = this.#random() < 0.75 ? (leading ?? anyone) : anyone;
      if (slot !== undefined) this.#do(slot);
    }
    await Promise.all(this.#underWay);
  }

  #do(slot: Slot): void {
    const dice = this.#random();
    // A pause that outlasts the lease tells more of client-go; of ours it is most often the end that does.
    const [resigns, dies, sleeps] = slot.isOurs ? [0.45, 0.65, 0.85] : [0.1, 0.2, 0.65];
    const pauseMs = this.#between(0.3, 1.7) * this.#leaseMs;
    if (dice < resigns) {
      this.#count('resignations');
      // Ours would always be first to take what is vacant, and client-go would hardly ever lead.
      const those = slot.isOurs ? this.#slots.filter(({ isOurs }) => isOurs) : [slot];
      for (const one of those) one.resign();
    } else if (dice < dies) {
      this.#start('kills', slot.killAndReplace(this.#between(200, 3_000)));
    } else if (dice < sleeps) {
      this.#start('pauses', slot.pause(pauseMs, false));
    } else {
      // Long enough for another one to lead by then: what it releases is no longer its own.
      const longMs = this.#between(1.1, 1.8) * this.#leaseMs;
      this.#start('pauses with a resignation', slot.pause(longMs, true));
    }
  }

  #start(what: string, action: Promise<void>): void {
    this.#count(what);
    this.#underWay.add(action);
    // A failure is told by `run()`, which waits for all.
    action.then(
      () => this.#underWay.delete(action),
      () => undefined,
    );
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}
