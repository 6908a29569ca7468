/**
 * A candidate as the keeper plays it: every event goes through the real `advance`, every step comes from the
 * real `nextStep`, news is judged by the real `observe`. Nothing is decided here.
 */
import { advance } from '../../../src/lease/protocol/advance.js';
import type { Pace } from '../../../src/lease/protocol/contention.js';
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

/** In which an announcement asks for less than a tick. */
const ROUND_TRIP_MS = 5;

/** More steps than this without waiting, and it never would. */
const MOST_STEPS = 12;

export function begin(world: World, who: Candidate): void {
  who.attempt += 1;
  who.belief = 'none';
  who.isCut = false;
  who.hasVacated = false;
  who.coveredUntil = who.elapsed;
  who.state = seek(who.sight, instantOf(world, who), paceOf(world, who));
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
  dispatch(world, who, { type: 'news', sight, pace: paceOf(world, who) });
}

/** Round trips take less than a tick: they are the same for all. */
function paceOf({ scope }: World, { index }: Candidate): Pace {
  return { holdOffMs: scope.holdOffsMs[index]!, roundTripMs: ROUND_TRIP_MS };
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
  judgeAnnouncement(world, who, before);
  if (before.kind !== 'holding') return judgeTrace(world, who, before, after.end.how);
  if (after.end.how !== 'lost' || who.elapsed >= before.heldUntil) return;
  const lease = registerOf(world);
  const isOurs =
    lease?.uid === before.sight.lease.uid && lease.mark?.nonce === nonceOf(who.index, who.attempt);
  if (after.end.reason === 'expired' || isOurs) {
    fail(world, 'needless loss', `${who.name} gives up a term that no other candidate took`);
  }
}

/** One that waits no longer tries to take its announcement away, if it knows of it. */
function judgeAnnouncement(world: World, who: Candidate, before: State): void {
  if (before.kind !== 'seeking' && before.kind !== 'vacating') return;
  if (before.kind === 'vacating' && (before.hasWithdrawn || who.monotonic >= before.giveUpAt))
    return;
  const { sight } = who;
  const own = nonceOf(who.index, who.attempt);
  if (sight.kind === 'present' && sight.lease.waiting.some(({ id }) => id === own)) {
    fail(world, 'turns', `${who.name} gives up and leaves its announcement behind`);
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
  judgeTurn(world, who, step);
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

/** A vacancy is left alone for the one that has announced the longest wait, and its turn is over after one claim. */
function judgeTurn(world: World, who: Candidate, step: Doing): void {
  const { state, sight } = who;
  if (step.do === 'announce' && step.announcement !== null && state.kind === 'seeking') {
    const isPassedOver = state.waiting.hasChangedHands;
    const waitedMs = who.monotonic - state.waiting.since;
    if (isPassedOver && waitedMs >= (world.scope.announceAfterMs ?? Infinity)) return;
    fail(world, 'turns', `${who.name} announces itself, and was not passed over`);
  }
  if (step.do !== 'write' || step.write.intent !== 'claim' || sight.kind !== 'present') return;
  const { waiting, record } = sight.lease;
  if (record.holder !== '' || waiting.length === 0) return;
  const longest = Math.max(...waiting.map(({ waitedMs }) => waitedMs));
  const turns = waiting.filter(({ waitedMs }) => waitedMs === longest);
  const own = nonceOf(who.index, who.attempt);
  const isOwn = turns.some(({ id }) => id === own);
  const leftAloneMs = Math.min(...turns.map(({ standBackMs }) => standBackMs));
  if (!isOwn && who.monotonic < sight.firstSeenAt + leftAloneMs) {
    fail(world, 'turns', `${who.name} claims a vacancy at another's turn`);
  }
  const { ended = [] } = step.change;
  if (!turns.some(({ id }) => ended.includes(id))) {
    fail(world, 'turns', `${who.name} claims, and leaves an announcement that has had its turn`);
  }
}

export function sent(world: World, who: Candidate, stamp: number): void {
  absorb(world, who, { type: 'sent', stamp });
}
