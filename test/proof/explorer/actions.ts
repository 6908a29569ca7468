/**
 * All that may happen next, and its performance. An action is a small number, so that the path to a state is
 * an array of them: kind × 64 + which candidate, request or version.
 */
import { begin, dispatch, isDue, learn } from './candidate.js';
import { destroy, label, overwrite } from './outsider.js';
import { rivalActs } from './rival.js';
import { answer, giveUp, handle, isAwaited, leave, refuse, tidy } from './network.js';
import { TICK_MS } from './scope.js';
import { OUTSIDER, budgetLeft, registerOf, spend, type Candidate, type World } from './world.js';

export const kinds = [
  'tick',
  'suspended tick',
  'timer',
  'begin',
  'stop',
  'hear',
  'gap',
  'leave',
  'handle',
  'answer',
  'silent',
  'give up',
  'refuse',
  'label',
  'overwrite',
  'blank',
  'delete',
  'set back',
  'look',
  'write',
  'release',
  'unseen tick',
] as const;

export type Kind = (typeof kinds)[number];

const WIDTH = 64;
const codes = Object.fromEntries(kinds.map((kind, index) => [kind, index * WIDTH])) as Readonly<
  Record<Kind, number>
>;

export function kindOf(action: number): Kind {
  return kinds[Math.floor(action / WIDTH)]!;
}

export function argumentOf(action: number): number {
  return action % WIDTH;
}

/** Whatever may happen in this world; some of it may turn out to change nothing. */
export function enabled(world: World): number[] {
  const actions: number[] = [];
  const may = (kind: Kind, which = 0): void => void actions.push(codes[kind] + which);
  if (budgetLeft(world, 'ticks') > 0) may('tick');
  for (const one of world.candidates) enabledFor(world, one, may);
  world.requests.forEach((request, index) => {
    if (request.sentAt === null && request.step.do === 'write') may('leave', index);
    else if (request.answer === null) may('handle', index);
    else may('answer', index);
    if (!isAwaited(world, request)) return;
    if (budgetLeft(world, 'timeouts') > 0) {
      if (request.step.do === 'write' && request.sentAt !== null) may('silent', index);
      may('give up', index);
    }
    if (request.answer === null && budgetLeft(world, 'refusals') > 0) may('refuse', index);
  });
  enabledForOutsiders(world, may);
  return actions;
}

type May = (kind: Kind, which?: number) => void;

function enabledFor(world: World, one: Candidate, may: May): void {
  const { index, state, attempt, sight } = one;
  if (budgetLeft(world, 'suspensions') > 0) {
    may('suspended tick', index);
    if (one.unseen < world.scope.unseenMs) may('unseen tick', index);
  }
  if (state.kind === 'over') {
    if (attempt + 1 < world.scope.attempts[index]!) may('begin', index);
    return;
  }
  if (isDue(world, one)) may('timer', index);
  if (state.kind !== 'vacating') {
    if (budgetLeft(world, 'stops') > 0) may('stop', index);
    if (budgetLeft(world, 'gaps') > 0) may('gap', index);
  }
  world.entries.forEach(({ version }, age) => {
    // Of what is past, even what says nothing new: whether it does is the protocol's own decision.
    if (version > sight.version || (age > 0 && version > 0n)) may('hear', index * 8 + age);
  });
}

function enabledForOutsiders(world: World, may: May): void {
  if (registerOf(world) !== null) {
    if (budgetLeft(world, 'labels') > 0) may('label');
    if (budgetLeft(world, 'overwrites') > 0) may('overwrite');
    if (budgetLeft(world, 'overwrites') > 0) may('blank');
    if (budgetLeft(world, 'deletes') > 0) may('delete');
  }
  if (budgetLeft(world, 'setBacks') > 0) may('set back');
  if (world.rival === null) return;
  may('look');
  if (budgetLeft(world, 'rivalActs') === 0) return;
  may('write');
  may('release');
}

/** @returns false when nothing came of it */
export function apply(world: World, action: number): boolean {
  const which = argumentOf(action);
  const done = perform(world, kindOf(action), which);
  if (done !== false) tidy(world);
  return done !== false;
}

function perform(world: World, kind: Kind, which: number): boolean | undefined {
  switch (kind) {
    case 'tick':
      return pass(world, null);
    case 'suspended tick':
      spend(world, 'suspensions');
      return pass(world, which);
    case 'unseen tick':
      spend(world, 'suspensions');
      world.candidates[which]!.unseen += TICK_MS;
      world.candidates[which]!.elapsed -= world.scope.ratesMs[which]!;
      return pass(world, which);
    case 'timer': {
      dispatch(world, world.candidates[which]!, { type: 'tick' });
      return;
    }
    case 'begin': {
      begin(world, world.candidates[which]!);
      return;
    }
    case 'stop':
      spend(world, 'stops');
      {
        dispatch(world, world.candidates[which]!, { type: 'stop' });
        return;
      }
    case 'gap':
      spend(world, 'gaps');
      {
        dispatch(world, world.candidates[which]!, {
          type: 'watch',
          live: world.scope.watched,
          gap: true,
        });
        return;
      }
    case 'hear': {
      const { lease, version } = world.entries[which % 8]!;
      const who = world.candidates[Math.floor(which / 8)]!;
      if (lease !== null) {
        learn(world, who, { kind: 'present', lease, asked: null });
        return;
      }
      learn(world, who, { kind: 'absent', version, asked: null });
      return;
    }
    case 'leave': {
      leave(world, which);
      return;
    }
    case 'handle': {
      handle(world, which);
      return;
    }
    case 'answer': {
      answer(world, which);
      return;
    }
    case 'silent': {
      spend(world, 'timeouts');
      const { by, step } = world.requests[which]!;
      if (step.do !== 'write') return false;
      dispatch(world, world.candidates[by]!, {
        type: 'silent',
        stamp: step.write.stamp,
      });
      return;
    }
    case 'give up':
      spend(world, 'timeouts');
      {
        giveUp(world, which);
        return;
      }
    case 'refuse':
      spend(world, 'refusals');
      {
        refuse(world, which);
        return;
      }
    case 'label':
      spend(world, 'labels');
      {
        label(world);
        return;
      }
    case 'overwrite':
      spend(world, 'overwrites');
      {
        overwrite(world, OUTSIDER);
        return;
      }
    case 'blank':
      spend(world, 'overwrites');
      {
        overwrite(world, '');
        return;
      }
    case 'delete':
      spend(world, 'deletes');
      {
        destroy(world);
        return;
      }
    case 'set back':
      spend(world, 'setBacks');
      world.wall -= 2 * TICK_MS;
      return true;
    case 'look':
      return rivalActs.look(world, world.rival!);
    case 'write':
    case 'release':
      spend(world, 'rivalActs');
      return rivalActs[kind](world, world.rival!);
  }
}

/** A second passes; a machine that is suspended meanwhile has no monotonic time of it. */
function pass(world: World, suspended: number | null): boolean {
  spend(world, 'ticks');
  world.time += TICK_MS;
  if (!world.scope.wallStands) world.wall += TICK_MS;
  for (const one of world.candidates) {
    const rate = world.scope.ratesMs[one.index]!;
    one.elapsed += rate;
    if (one.index !== suspended) one.monotonic += rate;
  }
  return true;
}
