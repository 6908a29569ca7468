// Plays again, in the pure protocol, what `DEBUG=metaparticle:sync:keeper` printed of attempts.
import { advance } from '../../src/lease/protocol/advance.js';
import type { Event, State, Step, Terms } from '../../src/lease/protocol/state.js';
import { nextStep } from '../../src/lease/protocol/step.js';
import type { Instant } from '../../src/lease/clock.js';

/** An attempt as the protocol goes through it when it is told what is in the lines. */
export interface Replay {
  readonly lease: string;
  readonly steps: Step[];
  state: State;
  readonly terms: Terms;
}

interface Detail {
  readonly now: Instant;
  readonly terms?: Terms;
  readonly state?: State;
  readonly step?: Step;
  readonly event?: Event;
}

const LINE = /metaparticle:sync:keeper (\S+) (\S+) (.+?) (\{.*\})(?: \+\d+\w+)?$/;

/**
 * One replay per nonce. Lines of other kinds are passed over.
 *
 * @throws when the protocol decides otherwise than the lines say
 */
export function replay(lines: readonly string[]): Map<string, Replay> {
  const replays = new Map<string, Replay>();
  for (const line of lines) {
    const [, lease = '', nonce = '', title = '', json = ''] = LINE.exec(line.trim()) ?? [];
    if (nonce === '') continue;
    const detail = JSON.parse(json, revive) as Detail;
    const known = replays.get(nonce);
    if (detail.terms !== undefined && detail.state !== undefined) {
      replays.set(nonce, { lease, terms: detail.terms, state: detail.state, steps: [] });
    } else if (known === undefined) {
      throw new Error(`no line says how ${nonce} began`);
    } else {
      play(known, title, detail);
    }
  }
  return replays;
}

function play(one: Replay, title: string, { now, step, event }: Detail): void {
  if (step !== undefined) {
    const decided = nextStep(one.state, now, one.terms);
    same(title, decided, step);
    one.steps.push(decided);
    return;
  }
  const begun = one.steps.at(-1);
  const happened =
    event ?? (begun === undefined ? undefined : { type: 'begun' as const, step: begun });
  if (happened === undefined) throw new Error(`no step before: ${title}`);
  const before = one.state.kind;
  one.state = advance(one.state, happened, now, one.terms);
  same(title, `${happened.type}: ${before} -> ${one.state.kind}`, title);
}

function same(title: string, decided: unknown, told: unknown): void {
  const [ours, theirs] = [plain(decided), plain(told)];
  if (ours !== theirs) throw new Error(`${title}: the protocol says ${ours}, the line ${theirs}`);
}

function plain(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === 'raw' || (key === 'base' && typeof part === 'object')) return undefined;
    return typeof part === 'bigint' ? String(part) : part;
  });
}

const VERSIONS = ['version', 'token', 'base'];

function revive(key: string, value: unknown): unknown {
  return VERSIONS.includes(key) && typeof value === 'string' ? BigInt(value) : value;
}
