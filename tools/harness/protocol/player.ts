import { advance } from '../../../src/lease/protocol/advance.js';
import { isHeld } from '../../../src/lease/protocol/holding.js';
import { seek } from '../../../src/lease/protocol/seeking.js';
import { nothingSeen, observe, type Sight } from '../../../src/lease/protocol/sight.js';
import type { Event, State, Step, Terms } from '../../../src/lease/protocol/state.js';
import { nextStep } from '../../../src/lease/protocol/step.js';
import { verdictOf } from '../../../src/lease/protocol/writes.js';
import type { Lease } from '../../../src/lease/record.js';
import { at, leaseWith, pace, terms as termsOf, waitingAfter } from './fixtures.js';

export type WriteStep = Extract<Step, { do: 'write' }>;

/** One process that plays the protocol by hand. */
export class Player {
  state: State;
  sight: Sight;
  now = 0;
  elapsed = 0;

  constructor(
    readonly terms: Terms = termsOf('n1'),
    sight: Sight = nothingSeen,
  ) {
    this.sight = sight;
    this.state = seek(sight, this.instant, pace);
  }

  get instant() {
    return at(this.now, { elapsed: this.elapsed });
  }

  get step(): Step {
    return nextStep(this.state, this.instant, this.terms);
  }

  get held(): boolean {
    return isHeld(this.state, this.instant);
  }

  wait(ms: number): this {
    this.now += ms;
    this.elapsed += ms;
    return this.event({ type: 'tick' });
  }

  event(event: Event): this {
    if (this.state.kind !== 'over') {
      this.state = advance(this.state, event, this.instant, this.terms);
    }
    return this;
  }

  learn(lease: Lease | null, { asked = false, version = null as bigint | null } = {}): this {
    const serial = asked ? this.sight.serial : null;
    const next = observe(
      this.sight,
      lease === null
        ? { kind: 'absent', version, asked: serial }
        : { kind: 'present', lease, asked: serial },
      this.now,
    );
    if (next === this.sight) return this;
    this.sight = next;
    return this.event({ type: 'news', sight: next, pace });
  }

  /** Performs a read that shows `lease`. */
  read(lease: Lease | null): this {
    const { step } = this;
    if (step.do !== 'read') throw new Error(`a read was due, not ${step.do}`);
    this.event({ type: 'begun', step });
    this.learn(lease, { asked: true });
    return this.event({ type: 'answered', request: 'read', verdict: { kind: 'ok' } });
  }

  /** Sends the write that is due and returns what it is. */
  send(intent: string): WriteStep {
    const { step } = this;
    if (step.do !== 'write' || step.write.intent !== intent) {
      throw new Error(
        `${intent} was due, not ${JSON.stringify(step, (_, v: unknown) => String(v))}`,
      );
    }
    this.event({ type: 'begun', step });
    this.event({ type: 'sent', stamp: step.write.stamp });
    return step;
  }

  settle({ write }: WriteStep, kind: 'ok' | 'conflict' | 'unknown'): this {
    return this.event({ type: 'settled', stamp: write.stamp, verdict: { kind } });
  }

  /** The answer to the write arrives, and shows the lease as the write left it. */
  answered({ write }: WriteStep, lease: Lease): this {
    const verdict = verdictOf(write, lease, this.terms);
    return this.learn(lease).event({ type: 'settled', stamp: write.stamp, verdict });
  }

  /** The write landed as `version` and its answer arrives. */
  won(step: WriteStep, version: bigint): this {
    return this.learn(landed(step, version)).settle(step, 'ok');
  }
}

export function landed(step: WriteStep, version: bigint): Lease {
  const { base, change } = step;
  return leaseWith(change, version, { uid: base.uid, waiting: waitingAfter(base, change) });
}
