/** Requests on their way: they leave, land, are answered, given up or refused, each whenever it likes. */
import { ApiUnreachableError } from '../../../src/errors.js';
import type { News } from '../../../src/lease/protocol/sight.js';
import type { Verdict } from '../../../src/lease/protocol/state.js';
import { verdictOf } from '../../../src/lease/protocol/writes.js';
import { dispatch, learn, sent } from './candidate.js';
import { mayReplace, perform } from './server.js';
import { termsOf, type Candidate, type Request, type World } from './world.js';

const error = new ApiUnreachableError('refused', 'https://server');

/** The sender has asked, and would hear of it. */
export function isAwaited(world: World, { by, attempt, step, isMute }: Request): boolean {
  const { state, attempt: current } = world.candidates[by]!;
  if (attempt !== current || isMute || state.kind === 'over') return false;
  if (step.do === 'announce') return state.kind !== 'holding' && state.waiting.isAnnouncing;
  if (step.do !== 'write') return state.asking === step.do;
  return state.writes.some(({ stamp, awaited }) => stamp === step.write.stamp && awaited);
}

export function leave(world: World, index: number): void {
  const request = world.requests[index]!;
  const who = world.candidates[request.by]!;
  world.requests[index] = { ...request, sentAt: who.elapsed };
  if (request.step.do !== 'write' || request.attempt !== who.attempt) return;
  sent(world, who, request.step.write.stamp);
}

export function handle(world: World, index: number): void {
  const request = world.requests[index]!;
  world.requests[index] = { ...request, answer: perform(world, request) };
  // Where reads are quick, the answer is there in the moment the server looks.
  if (request.step.do === 'read' && !world.scope.slowReads) answer(world, index);
}

/** News first, then how the request ended: in this order the keeper passes them on. */
export function answer(world: World, index: number): void {
  const [request] = world.requests.splice(index, 1) as [Request];
  const who = world.candidates[request.by]!;
  const news = newsOf(request);
  const wasAwaited = isHeardOf(request, who);
  if (news !== null) learn(world, who, news);
  if (wasAwaited) settle(world, who, request, howItEnded(world, request));
}

function howItEnded(world: World, { by, attempt, step, answer }: Request): Verdict {
  const { verdict: kind, lease } = answer!;
  if (kind === 'refused') return { kind, error, transient: false };
  if (step.do !== 'write' || kind !== 'ok' || lease == null) return { kind } as Verdict;
  return verdictOf(step.write, lease, termsOf(world, by, attempt));
}

/** An answer to a write is ordered by its version alone, like an event. */
function newsOf({ step, asked, answer }: Request): News | null {
  const lease = answer!.lease;
  if (lease === undefined) return null;
  if (lease === null) return { kind: 'absent', version: null, asked };
  return { kind: 'present', lease, asked: step.do === 'read' ? asked : null };
}

function isHeardOf({ isMute, attempt }: Request, who: Candidate): boolean {
  return !isMute && attempt === who.attempt;
}

function settle(world: World, who: Candidate, { step }: Request, verdict: Verdict): void {
  if (step.do === 'write') {
    return dispatch(world, who, { type: 'settled', stamp: step.write.stamp, verdict });
  }
  dispatch(world, who, { type: 'answered', request: step.do, verdict });
}

/** Lost on its way, or its answer was, or it lands later: the sender cannot know. */
export function giveUp(world: World, index: number): void {
  const request = world.requests[index]!;
  world.requests[index] = { ...request, isMute: true };
  settle(world, world.candidates[request.by]!, request, { kind: 'unknown' });
}

/** It had and will have no effect. */
export function refuse(world: World, index: number): void {
  const [request] = world.requests.splice(index, 1) as [Request];
  const who = world.candidates[request.by]!;
  settle(world, who, request, { kind: 'refused', error, transient: true });
}

/** Drops what can have no effect any more, and settles a write early whose outcome is certain. */
export function tidy(world: World): void {
  const { requests } = world;
  for (let index = requests.length - 1; index >= 0; index--) {
    const request = requests[index]!;
    if (isFutile(world, request)) requests.splice(index, 1);
    else if (isBeaten(world, request)) {
      requests[index] = { ...request, answer: { verdict: 'conflict', lease: undefined } };
    }
  }
}

/** A write onto a version that the register has left behind can never land. */
function isBeaten(world: World, { step, sentAt, answer }: Request): boolean {
  if (step.do !== 'write' || answer !== null || sentAt === null || world.flaw !== null)
    return false;
  return !mayReplace(world, step.base);
}

function isFutile(world: World, request: Request): boolean {
  const who = world.candidates[request.by]!;
  const { step, answer } = request;
  if (step.do === 'read') {
    if (request.attempt !== who.attempt) return true;
    return request.isMute && !world.scope.slowReads;
  }
  if (answer !== null) return !isHeardOf(request, who) || isOldHat(who, request);
  if (isHeardOf(request, who) && who.state.kind !== 'over') return false;
  if (step.do === 'create' || world.flaw !== null) return false;
  if (step.do === 'announce') return world.entries[0]!.lease?.uid !== step.base.uid;
  return !mayReplace(world, step.base);
}

/** An answer to a write that is settled already, and that shows nothing newer than what is known. */
function isOldHat({ state, sight }: Candidate, { step, answer }: Request): boolean {
  if (state.kind === 'over') return true;
  if (step.do !== 'write' || state.writes.some(({ stamp }) => stamp === step.write.stamp)) {
    return false;
  }
  const lease = answer!.lease;
  return lease == null || lease.version! <= sight.version;
}
