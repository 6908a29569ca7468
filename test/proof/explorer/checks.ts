/** What must be true in every state. What must be true of a landing or of a change is checked where it happens. */
import { holds } from './candidate.js';
import { rivalBelieves } from './rival.js';
import { fail, nonceOf, type Candidate, type World } from './world.js';

export function check(world: World): void {
  const names = world.candidates.filter((one) => checkBelief(world, one)).map(({ name }) => name);
  if (rivalBelieves(world)) names.push('the rival');
  if (names.length > 1) fail(world, 'one believer', `${names.join(' and ')} believe at once`);
}

/** @returns whether it believes, and no outsider took its record away */
function checkBelief(world: World, who: Candidate): boolean {
  const isHeld = holds(world, who);
  if (!isHeld) {
    if (who.belief === 'present') who.belief = 'past';
    return false;
  }
  if (who.belief === 'past')
    fail(world, 'belief', `${who.name} believes again in a term that ended`);
  who.belief = 'present';
  if (world.scope.strips)
    fail(world, 'belief', `${who.name} believes in a record without its mark`);
  if (who.elapsed >= who.coveredUntil) {
    fail(world, 'belief', `${who.name} believes longer than its landed writes allow`);
  }
  if (!knowsItself(who)) {
    fail(world, 'belief', `${who.name} believes though it knows that the record is not its own`);
  }
  const { state } = who;
  const mark = state.kind === 'holding' ? state.sight.lease.mark : null;
  if (state.kind === 'holding' && mark?.token !== state.token) {
    fail(world, 'token', `${who.name} holds another token than its record names`);
  }
  // A cut belief cannot grow: nothing of that term lands any more, so what covers it stands still.
  return !who.isCut;
}

function knowsItself({ sight, index, attempt }: Candidate): boolean {
  return sight.kind === 'present' && sight.lease.mark?.nonce === nonceOf(index, attempt);
}
