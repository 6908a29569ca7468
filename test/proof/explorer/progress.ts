/**
 * Promise 4, tried from a state: from here on nothing goes wrong. Every request is handled and answered at
 * once, every event is heard, every timer fires, finished candidates start again; what was lost stays lost, and
 * a rival that keeps to another protocol is silent. Then a candidate must come to hold the lease in time.
 */
import { begin, dispatch, holds, isDue, learn } from './candidate.js';
import { answer, handle, leave, tidy } from './network.js';
import { TICK_MS } from './scope.js';
import { copyOf, fail, nonceOf, registerOf, type Violation, type World } from './world.js';

/** The longest time between two reads of a candidate without a watch, or one that doubts its watch. */
const LONGEST_POLL_MS = 2_000;

/** Pauses and graces of less than a tick each cost one here. */
const ATTEMPT_MS = 2 * TICK_MS;

/** So many things may happen in one moment before it counts as a loop. */
const MOST_AT_ONCE = 100;

export function limitMs({ scope, entries }: World): number {
  const duration = Math.max(...scope.durationsMs);
  // The slowest clock counts them.
  const stretch = TICK_MS / Math.min(...scope.ratesMs);
  // Each announcement of a waiter that is gone has its turn once.
  const turnsMs = (entries[0]!.lease?.waiting.length ?? 0) * TICK_MS;
  return (duration + Math.max(duration, LONGEST_POLL_MS)) * stretch + ATTEMPT_MS + turnsMs;
}

export function tryProgress(from: World): { violation: Violation | null; tookMs: number } {
  const world = copyOf(from);
  world.requests = world.requests.filter(({ isMute }) => !isMute);
  for (;;) {
    settle(world);
    const tookMs = world.time - from.time;
    if (world.violation !== null) return { violation: world.violation, tookMs };
    if (isHeldBySomeone(world)) return { violation: keep(world), tookMs };
    if (tookMs >= limitMs(world)) {
      fail(world, 'progress', `no candidate holds the lease ${tookMs} ms after the last fault`);
      continue;
    }
    pass(world);
  }
}

/**
 * What is held stays held. A term that an earlier fault has left short may end before it is renewed, and
 * another one, of a claim made now, takes its place: but that is the last one. Reads that fail leave no term short.
 */
function keep(world: World): Violation | null {
  const until = world.time + 2 * limitMs(world);
  const most = world.scope.failingReads ? 0 : 1;
  let [holder, changes] = [holderOf(world), 0];
  while (world.violation === null && world.time < until) {
    pass(world);
    settle(world);
    const now = holderOf(world);
    if (now !== null && now !== holder && ++changes > most) {
      fail(world, 'needless loss', `${now} holds it after ${holder}, and nothing was wrong`);
    }
    holder = now ?? holder;
  }
  return world.violation;
}

function isHeldBySomeone(world: World): boolean {
  return holderOf(world) !== null;
}

/** The term of the candidate that holds the lease and is recorded as its holder. */
function holderOf(world: World): string | null {
  const nonce = registerOf(world)?.mark?.nonce;
  const holder = world.candidates.find(
    (one) => nonce === nonceOf(one.index, one.attempt) && holds(world, one),
  );
  return holder === undefined ? null : `${holder.name} (attempt ${holder.attempt + 1})`;
}

/** All that can happen in this moment, in a fixed order. */
function settle(world: World): void {
  for (let count = 0; count < MOST_AT_ONCE; count++) {
    if (world.violation !== null || !happens(world)) return;
    tidy(world);
  }
  fail(world, 'no tight loop', 'one request follows another without end in one moment');
}

function happens(world: World): boolean {
  const [request] = world.requests;
  if (request !== undefined) {
    if (request.step.do === 'write' && request.sentAt === null) leave(world, 0);
    else if (request.answer === null) handle(world, 0);
    else answer(world, 0);
    return true;
  }
  for (const one of world.candidates) {
    const { sight } = one;
    if (one.state.kind === 'over') {
      begin(world, one);
      return true;
    }
    if (isDue(world, one)) {
      dispatch(world, one, { type: 'tick' });
      return true;
    }
    const { version, lease } = world.entries[0]!;
    if (version <= sight.version) continue;
    learn(
      world,
      one,
      lease === null
        ? { kind: 'absent', version, asked: null }
        : { kind: 'present', lease, asked: null },
    );
    return true;
  }
  return false;
}

function pass(world: World): void {
  world.time += TICK_MS;
  if (!world.scope.wallStands) world.wall += TICK_MS;
  for (const one of world.candidates) {
    const rate = world.scope.ratesMs[one.index]!;
    one.elapsed += rate;
    one.monotonic += rate;
  }
}
