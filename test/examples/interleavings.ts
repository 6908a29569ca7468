// Actors that run statements in every possible order. Each statement waits for its turn; turns are given
// one at a time, when all others wait for theirs, for a lock of the database, or are at their end.
import type { Session } from '../../examples/postgres/guard.js';
import { sleep } from '../support/promises.js';

/** They wait for each other: no machine is that slow. */
const LIMIT_MS = 120_000;

export interface Part {
  readonly name: string;
  readonly session: Session;
  /** What it does with the session; a rejection is an end like any other. */
  readonly act: (session: Session) => Promise<unknown>;
  /** Whether the session waits for a lock that another has. */
  readonly isBlocked: () => Promise<boolean>;
}

class Actor {
  readonly name: string;
  readonly isBlocked: () => Promise<boolean>;
  readonly ended: Promise<void>;
  isOver = false;
  #turn: (() => void) | null = null;

  constructor({ name, session, act, isBlocked }: Part) {
    this.name = name;
    this.isBlocked = isBlocked;
    const stepwise: Session = {
      query: async (sql, values) => {
        await new Promise<void>((resolve) => (this.#turn = resolve));
        return session.query(sql, values);
      },
    };
    const end = (): void => void (this.isOver = true);
    this.ended = act(stepwise).then(end, end);
  }

  get isReady(): boolean {
    return this.#turn !== null;
  }

  go(): void {
    const turn = this.#turn;
    this.#turn = null;
    turn?.();
  }
}

/** The actors that can take a turn, once no other is in the middle of one. */
async function ready(actors: readonly Actor[]): Promise<Actor[]> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    await sleep(0);
    const atWork = actors.filter(({ isOver, isReady }) => !isOver && !isReady);
    const blocked = await Promise.all(atWork.map((actor) => actor.isBlocked()));
    const able = actors.filter(({ isReady }) => isReady);
    const isOver = actors.every((actor) => actor.isOver);
    if (isOver || (blocked.every(Boolean) && able.length > 0)) return able;
    if (performance.now() > end) throw new Error('the actors wait for each other');
  }
}

/** One order: the turns of `plan`, then the first that is able. Tells for each turn which actors could have had it. */
async function play(parts: readonly Part[], plan: readonly string[]): Promise<string[][]> {
  const actors = parts.map((part) => new Actor(part));
  const turns: string[][] = [];
  for (;;) {
    const able = await ready(actors);
    if (able.length === 0) break;
    const wanted = plan[turns.length] ?? able[0]?.name ?? '';
    const next = able.find(({ name }) => name === wanted);
    if (next === undefined) throw new Error(`${wanted} had a turn here before, and now has not`);
    turns.push([next.name, ...able.map(({ name }) => name).filter((name) => name !== wanted)]);
    next.go();
  }
  await Promise.all(actors.map(({ ended }) => ended));
  return turns;
}

/** Plays all orders, each from the beginning that `prepare` makes; resolves with what each came to. */
export async function everyOrder<T>(
  prepare: () => Promise<readonly Part[]>,
  outcome: () => Promise<T>,
): Promise<Map<string, T>> {
  const outcomes = new Map<string, T>();
  const plans: string[][] = [[]];
  for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) {
    const turns = await play(await prepare(), plan);
    const taken = turns.map(([name = '']) => name);
    outcomes.set(taken.join(' '), await outcome());
    for (let index = plan.length; index < turns.length; index++) {
      const others = turns[index]?.slice(1) ?? [];
      plans.push(...others.map((other) => [...taken.slice(0, index), other]));
    }
  }
  return outcomes;
}
