/**
 * Breadth-first, so the first violation met is among the shortest. A level is kept as canonical words; of
 * all former states only their hash, their parent and the action that led to them remain.
 */
import { apply, enabled } from './actions.js';
import { check } from './checks.js';
import { Decoder } from './decode.js';
import { Encoder } from './encode.js';
import { Level } from './level.js';
import { Path } from './path.js';
import { tryProgress } from './progress.js';
import type { Flaw, Scope } from './scope.js';
import { Hash, Visited } from './visited.js';
import { copyOf, newWorld, type World } from './world.js';

export interface Found {
  readonly scope: Scope;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Of processor time: what else the machine does is left out. */
  readonly seconds: number;
  /** Nothing was left out for want of states. */
  readonly exhausted: boolean;
  /** How many states were tried for progress, and the longest that it took. */
  readonly progress: { readonly tried: number; readonly longestMs: number };
  /** The actions of the shortest way to a violation; one that no action leads to is one of progress. */
  readonly violation: readonly number[] | null;
}

export function search(scope: Scope, mostStates: number, flaw: Flaw | null = null): Found {
  return new Search(scope, mostStates, flaw).run();
}

class Search {
  readonly #scope: Scope;
  readonly #flaw: Flaw | null;
  readonly #mostStates: number;
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  readonly #visited = new Visited();
  readonly #hash = new Hash();
  readonly #path = new Path();
  readonly #startedAt = process.cpuUsage();
  #next = new Level();
  #transitions = 0;
  #depth = 0;
  #tried = 0;
  #longestMs = 0;

  constructor(scope: Scope, mostStates: number, flaw: Flaw | null) {
    this.#scope = scope;
    this.#flaw = flaw;
    this.#mostStates = mostStates;
    this.#encoder = new Encoder(scope);
    this.#decoder = new Decoder(scope, flaw);
  }

  run(): Found {
    this.#meet(newWorld(this.#scope, this.#flaw), -1, 0);
    let first = 0;
    while (this.#next.count > 0) {
      const level = this.#next;
      this.#next = new Level();
      for (let index = 0; index < level.count; index++) {
        const violation = this.#expand(level, index, first + index);
        if (violation !== null) return this.#found(violation, false);
        if (this.#visited.size >= this.#mostStates) return this.#found(null, false);
      }
      first += level.count;
      if (this.#next.count > 0) this.#depth += 1;
    }
    return this.#found(null, true);
  }

  /** @returns the way to a violation, if one state away there is one */
  #expand(level: Level, index: number, state: number): readonly number[] | null {
    const world = this.#decoder.decode(level.words, level.startOf(index));
    if (this.#isSampled(state) && !this.#progresses(world)) return this.#path.to(state);
    for (const action of enabled(world)) {
      const next = copyOf(world);
      if (!apply(next, action)) continue;
      this.#transitions += 1;
      check(next);
      if (next.violation !== null) return [...this.#path.to(state), action];
      this.#meet(next, state, action);
    }
    return null;
  }

  #meet(world: World, parent: number, action: number): void {
    this.#encoder.encode(world);
    const { words, length } = this.#encoder;
    if (!this.#visited.add(this.#hash.of(words, length))) return;
    this.#path.push(parent, action);
    this.#next.push(words, length);
  }

  /** By number of discovery, which is the same in every run. */
  #isSampled(state: number): boolean {
    const { progressOneIn } = this.#scope;
    return progressOneIn > 0 && Math.imul(state, 0x9e3779b1) >>> 0 < 2 ** 32 / progressOneIn;
  }

  #progresses(world: World): boolean {
    const { violation, tookMs } = tryProgress(world);
    this.#tried += 1;
    this.#longestMs = Math.max(this.#longestMs, tookMs);
    return violation === null;
  }

  #found(violation: readonly number[] | null, exhausted: boolean): Found {
    return {
      scope: this.#scope,
      states: this.#visited.size,
      transitions: this.#transitions,
      depth: this.#depth,
      seconds: secondsSince(this.#startedAt),
      exhausted,
      progress: { tried: this.#tried, longestMs: this.#longestMs },
      violation,
    };
  }
}

function secondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
