/**
 * A candidate as the keeper plays it: every event goes through the real `advance`, every step comes from the
 * real `nextStep`, news is judged by the real `observe`. Nothing is decided here.
 */
import { advance } from '../../../src/lease/protocol/advance.js';
import { isHeld } from '../../../src/lease/protocol/holding.js';
import { seek } from '../../../src/lease/protocol/seeking.js';
import { observe, type News, type Sight } from '../../../src/lease/protocol/sight.js';
import { IllegalEventError, type Event, type State } from '../../../src/lease/protocol/state.js';
import { nextStep } from '../../../src/lease/protocol/step.js';
import { mayReplace } from './server.js';
import {
  fail,
  instantOf,
  nonceOf,
  registerOf,
  termsOf,
  type Candidate,
  type Doing,
  type World,
} from './world.js';

/** More steps than this without waiting, and it never would. */
const MOST_STEPS = 12;

export function begin(world: World, who: Candidate): void {
  who.attempt += 1;
  who.belief = 'none';
  who.isCut = false;
  who.hasVacated = false;
  who.coveredUntil = who.elapsed;
  const holdOffMs = world.scope.holdOffsMs[who.index]!;
  who.state = seek(who.sight, instantOf(world, who), holdOffMs);
  if (world.scope.watched) absorb(world, who, { type: 'watch', live: true, gap: false });
  pump(world, who);
}

export function dispatch(world: World, who: Candidate, event: Event): void {
  if (who.state.kind === 'over') return;
  absorb(world, who, event);
  pump(world, who);
}

export function learn(world: World, who: Candidate, news: News): void {
  const sight = observe(who.sight, news, who.monotonic);
  if (sight === who.sight) return;
  if (isPutOff(who.sight, sight)) {
    fail(world, 'needless wait', `${who.name} counts anew although the record stands as it stood`);
  }
  who.sight = sight;
  const holdOffMs = world.scope.holdOffsMs[who.index]!;
  dispatch(world, who, { type: 'news', sight, holdOffMs });
}

/** A waiting candidate counts from when it first saw a record: an edit of anything else is no heartbeat. */
function isPutOff(before: Sight, after: Sight): boolean {
  if (before.kind !== 'present' || after.kind !== 'present') return false;
  const isSame =
    before.lease.uid === after.lease.uid && before.lease.fingerprint === after.lease.fingerprint;
  return isSame && after.firstSeenAt > before.firstSeenAt;
}

/** Whether a timer of the keeper would do anything now. */
export function isDue(world: World, who: Candidate): boolean {
  if (who.state.kind === 'over') return false;
  const now = instantOf(world, who);
  if (who.state.kind === 'holding' && !isHeld(who.state, now)) return true;
  const step = nextStep(who.state, now, termsOf(world, who.index, who.attempt));
  return step.do !== 'wait' || step.ms <= 0;
}

export function holds(world: World, who: Candidate): boolean {
  return isHeld(who.state, instantOf(world, who));
}

function absorb(world: World, who: Candidate, event: Event): void {
  const before = who.state;
  // Its answers come, and its queued writes leave, when the attempt is over.
  if (before.kind === 'over') return;
  const terms = termsOf(world, who.index, who.attempt);
  try {
    who.state = advance(before, event, instantOf(world, who), terms);
  } catch (error) {
    if (!(error instanceof IllegalEventError)) throw error;
    return fail(world, 'legal events', `${who.name}: ${error.message}`);
  }
  if (who.state.kind !== before.kind) judge(world, who, before, who.state);
}

function judge(world: World, who: Candidate, before: State, after: State): void {
  if (after.kind === 'holding' && !holds(world, who)) {
    fail(world, 'belief', `${who.name} wins after the belief of its claim has ended`);
  }
  if (after.kind !== 'over') return;
  if (before.kind !== 'holding') return judgeTrace(world, who, before, after.end.how);
  if (after.end.how !== 'lost' || who.elapsed >= before.heldUntil) return;
  const lease = registerOf(world);
  const isOurs =
    lease?.uid === before.sight.lease.uid && lease.mark?.nonce === nonceOf(who.index, who.attempt);
  if (after.end.reason === 'expired' || isOurs) {
    fail(world, 'needless loss', `${who.name} gives up a term that no other candidate took`);
  }
}

/** Clearing up ends when nothing of the attempt is left, nor can come, or when its time is spent. */
function judgeTrace(world: World, who: Candidate, before: State, how: string): void {
  if (how === 'released' && !who.hasVacated) {
    fail(world, 'release', `${who.name} says that it has let go, and has not`);
  }
  if (before.kind === 'vacating' && who.monotonic >= before.giveUpAt) return;
  const mayCome = world.requests.some(
    ({ by, attempt, step, answer }) =>
      by === who.index &&
      attempt === who.attempt &&
      answer === null &&
      step.do === 'write' &&
      mayReplace(world, step.base),
  );
  const lease = registerOf(world);
  const isThere = world.scope.strips
    ? lease?.record.holder === who.name
    : lease?.mark?.nonce === nonceOf(who.index, who.attempt);
  if (mayCome || isThere) fail(world, 'release', `${who.name} ends with a claim of it left behind`);
}

function pump(world: World, who: Candidate): void {
  for (let count = 0; count < MOST_STEPS; count++) {
    const step = nextStep(who.state, instantOf(world, who), termsOf(world, who.index, who.attempt));
    switch (step.do) {
      case 'wait':
      case 'end':
        return;
      case 'fail':
        // What waiting does not mend ends the attempt, as the keeper ends it.
        if (world.scope.strips) {
          absorb(world, who, { type: 'stop' });
          break;
        }
        return fail(world, 'legal events', `${who.name} is told to ${step.do}`);
      case 'yield':
        if (world.scope.evicts && who.index === 1) {
          absorb(world, who, { type: 'stop' });
          break;
        }
        return fail(world, 'legal events', `${who.name} is told to ${step.do}`);
      default:
        if (!perform(world, who, step)) return;
    }
  }
  fail(world, 'no tight loop', `${who.name} begins one request after another without waiting`);
}

/** @returns false when there is nothing left to perform for */
function perform(world: World, who: Candidate, step: Doing): boolean {
  absorb(world, who, { type: 'begun', step });
  if (who.state.kind === 'over' || world.violation !== null) return false;
  const isQueued = world.scope.queued && step.do === 'write';
  const request = {
    by: who.index,
    attempt: who.attempt,
    step,
    asked: who.sight.serial,
    sentAt: isQueued ? null : who.elapsed,
    isMute: false,
    answer: null,
  };
  // Grouped by sender: the order of different senders' requests means nothing.
  const after = world.requests.findIndex((one) => one.by > who.index);
  world.requests.splice(after < 0 ? world.requests.length : after, 0, request);
  if (step.do === 'write' && !isQueued) sent(world, who, step.write.stamp);
  return true;
}

export function sent(world: World, who: Candidate, stamp: number): void {
  absorb(world, who, { type: 'sent', stamp });
}
