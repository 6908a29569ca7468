import { grown } from './level.js';

/** How each state was reached first: its parent and the action, in order of discovery. */
export class Path {
  #count = 0;
  #parents = new Int32Array(1 << 12);
  #actions = new Uint16Array(1 << 12);

  push(parent: number, action: number): void {
    if (this.#count === this.#parents.length) {
      this.#parents = grown(this.#parents, Int32Array);
      this.#actions = grown(this.#actions, Uint16Array);
    }
    this.#parents[this.#count] = parent;
    this.#actions[this.#count++] = action;
  }

  to(state: number): readonly number[] {
    const actions: number[] = [];
    for (let at = state; this.#parents[at]! >= 0; at = this.#parents[at]!) {
      actions.push(this.#actions[at]!);
    }
    return actions.reverse();
  }
}
