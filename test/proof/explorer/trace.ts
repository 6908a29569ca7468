/**
 * A path as text for readers. It is replayed in a world whose parts were never renamed, which also proves that the
 * violation is not an effect of renaming.
 */
import { apply, argumentOf, kindOf } from './actions.js';
import { holds } from './candidate.js';
import { check } from './checks.js';
import { tryProgress } from './progress.js';
import type { Flaw, Scope } from './scope.js';
import {
  ORIGIN_MS,
  copyOf,
  newWorld,
  registerOf,
  type Candidate,
  type Request,
  type Violation,
  type World,
} from './world.js';

export interface Trace {
  readonly violation: Violation;
  readonly lines: readonly string[];
}

export function traceOf(scope: Scope, flaw: Flaw | null, actions: readonly number[]): Trace {
  let world = newWorld(scope, flaw);
  const lines: string[] = [];
  for (const action of actions) {
    const before = world;
    world = copyOf(before);
    apply(world, action);
    check(world);
    lines.push(...linesOf(before, action, world));
  }
  const violation = world.violation ?? tryProgress(world).violation;
  // Canonical and raw worlds are to have the same futures.
  if (violation === null)
    throw new Error(`a violation does not happen again:\n${lines.join('\n')}`);
  return { violation, lines: [...lines, `broken (${violation.promise}): ${violation.what}`] };
}

function linesOf(before: World, action: number, after: World): string[] {
  const at = `${String((before.time - ORIGIN_MS) / 1_000).padStart(3)} s  `;
  const what = `${at}${describe(before, action)}`;
  const changes = [
    ...after.candidates.flatMap((one) =>
      changesOf(before, before.candidates[one.index]!, after, one),
    ),
    ...(registerOf(before) === registerOf(after) ? [] : [`register: ${show(after)}`]),
  ];
  return [changes.length === 0 ? what : `${what} → ${changes.join('; ')}`];
}

function describe(world: World, action: number): string {
  const kind = kindOf(action);
  const which = argumentOf(action);
  const name = (index: number): string => world.candidates[index]!.name;
  switch (kind) {
    case 'tick':
      return 'a second passes';
    case 'unseen tick':
      return `a second passes, ${name(which)}'s machine is suspended, and its clocks do not see it`;
    case 'suspended tick':
      return `a second passes, ${name(which)}'s machine is suspended`;
    case 'timer':
      return `a timer of ${name(which)} fires`;
    case 'begin':
      return `${name(which)} begins to acquire`;
    case 'stop':
      return `${name(which)} ${world.candidates[which]!.state.kind === 'holding' ? 'releases' : 'calls it off'}`;
    case 'hear': {
      const { version } = world.entries[which % 8]!;
      return `${name(which >> 3)} hears of version ${version}${which % 8 > 0 ? ', long past' : ''}`;
    }
    case 'gap':
      return `${name(which)}'s watch reports a gap`;
    case 'leave':
      return `${nameOf(world, which)} leaves`;
    case 'handle':
      return `the server handles ${nameOf(world, which)}`;
    case 'answer':
      return `the answer to ${nameOf(world, which)} arrives: ${world.requests[which]!.answer!.verdict}`;
    case 'silent':
      return `${nameOf(world, which)} has no answer for long`;
    case 'give up':
      return `${nameOf(world, which)} is given up without an answer`;
    case 'refuse':
      return `${nameOf(world, which)} is refused`;
    case 'set back':
      return 'the wall clocks are set back by two seconds';
    case 'label':
      return 'an outsider edits a label';
    case 'overwrite':
      return 'an outsider writes himself in as holder';
    case 'blank':
      return 'an outsider blanks the record';
    case 'delete':
      return 'an outsider deletes the lease';
    case 'look':
      return 'the rival looks';
    case 'write':
      return 'the rival writes itself in as holder';
    case 'release':
      return 'the rival releases';
  }
}

function nameOf(world: World, index: number): string {
  const { by, step } = world.requests[index]!;
  const { name } = world.candidates[by]!;
  if (step.do !== 'write') return `${name}'s ${step.do}`;
  return `${name}'s ${step.write.intent} onto version ${step.base.version}`;
}

function changesOf(earlier: World, before: Candidate, later: World, after: Candidate): string[] {
  const changes: string[] = [];
  if (before.state.kind !== after.state.kind) changes.push(`${after.name} is ${after.state.kind}`);
  const [held, holding] = [holds(earlier, before), holds(later, after)];
  if (held && !holding) changes.push(`${after.name} believes no longer`);
  if (!held && holding) changes.push(`${after.name} believes`);
  const known = new Set<Request['step']>(earlier.requests.map(({ step }) => step));
  for (const [index, { by, step }] of later.requests.entries()) {
    if (by === after.index && !known.has(step)) changes.push(`${nameOf(later, index)} is sent`);
  }
  return changes;
}

function show(world: World): string {
  const lease = registerOf(world);
  if (lease === null) return 'nothing';
  const { holder } = lease.record;
  const token = lease.mark === null ? '' : `, token ${lease.mark.token}`;
  return `version ${lease.version}, ${holder === '' ? 'vacant' : `held by ${holder}${token}`}`;
}
