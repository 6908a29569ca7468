import { SyncWarning, type SyncError, type SyncWarningCode } from '../errors.js';
import { wasAllowed } from './protocol/seeking.js';
import type { Instant } from './clock.js';
import type { Request, Seeking, State, Terms } from './protocol/state.js';
import { isLate } from './protocol/step.js';
import { landedWrite } from './protocol/writes.js';
import { keyOf } from './record.js';
import type { LeaseView } from './view.js';

/** Notices, beside the protocol, what works but deserves a look; warns once per attempt and matter. */
export class Alarm {
  readonly #view: LeaseView;
  readonly #terms: Terms;
  readonly #warn: (warning: SyncWarning) => void;
  readonly #said = new Set<SyncWarningCode>();

  constructor(view: LeaseView, terms: Terms, warn: (warning: SyncWarning) => void) {
    this.#view = view;
    this.#terms = terms;
    this.#warn = warn;
  }

  look(before: State, after: State, now: Instant, lastFailure: SyncError | undefined): void {
    if (after.kind === 'seeking' && this.#isDoubled(after)) {
      const { identity } = this.#terms;
      this.#say('SAME_IDENTITY', `another process renews as ${identity}; identities must differ`);
    }
    if (after.kind !== 'holding') return;
    if (isLate(after, now, this.#terms)) {
      this.#say('RENEWAL_LATE', 'over half of the time to renew it has passed', lastFailure);
    }
    if (before.kind !== 'holding' || before.sight.version === after.sight.version) return;
    // Each version of a held lease is a renewal of ours, which extends belief, or somebody else's doing. One that left
    // in the same instant as the write before it extends nothing: its stamp tells. A waiter may announce itself.
    const isOurs =
      before.heldUntil !== after.heldUntil ||
      landedWrite(before.writes, before.sight, after.sight, this.#terms) !== undefined;
    if (!isOurs && before.sight.lease.content !== after.sight.lease.content) {
      this.#say('FOREIGN_EDIT', 'somebody else changed the Lease while it is held here');
    }
  }

  /** The server said no to somebody who goes on trying. */
  refused(state: State, request: Request, error: SyncError): void {
    const goesOn =
      state.kind === 'holding' || (state.kind === 'seeking' && wasAllowed(state, request, error));
    if (goesOn) this.#say('ACCESS_LOST', `refused for now: ${error.message}`, error);
  }

  /** Somebody alive elsewhere goes by our identity. */
  #isDoubled({ sight }: Seeking): boolean {
    if (sight.kind !== 'present' || sight.gapMs === null) return false;
    const { record, mark } = sight.lease;
    return record.holder === this.#terms.identity && !this.#view.isLocal(mark?.nonce ?? '');
  }

  #say(code: SyncWarningCode, what: string, cause?: SyncError): void {
    if (this.#said.has(code)) return;
    this.#said.add(code);
    this.#warn(new SyncWarning(code, `lock ${keyOf(this.#view.key)}: ${what}`, cause));
  }
}
