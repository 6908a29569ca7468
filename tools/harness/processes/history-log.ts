// What a candidate believes, has sent and has been told, line by line in a file. Lines are written at once, so that
// nothing is lost with a process that is killed.
import { subscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';
import { diagnosticsChannels } from '../../../src/index.js';
import type { Election, EventMessage } from '../../../src/index.js';
import { systemClock } from '../../../src/lease/clock.js';
import { now } from './time.js';

/** Times are those of `now()`. */
export type HistoryLine =
  | { readonly at: number; readonly event: 'leading'; readonly token: string }
  | { readonly at: number; readonly event: 'stopped'; readonly reason: string }
  /** `isLeader()` was asked at this time and was true: for the first time in a row, or still. */
  | { readonly at: number; readonly event: 'believes' }
  /** It is false for the first time in a row, or another term begins; it was last true at `until`. */
  | { readonly at: number; readonly event: 'doubts'; readonly until: number }
  /** A write left that carries this `renewTime`. */
  | { readonly at: number; readonly event: 'sent'; readonly stamp: number }
  /** While it led, it was told that the record is not its own; `isLeader()` in that very tick. */
  | { readonly at: number; readonly event: 'told'; readonly isLeader: boolean };

/** As far as this test reads the protocol's own values. */
interface Detail {
  readonly before: { readonly heldUntil?: number };
  readonly event: {
    readonly stamp?: number;
    readonly sight?: {
      readonly kind: string;
      readonly lease?: {
        readonly record: { readonly holder: string };
        readonly mark: { readonly nonce: string } | null;
      };
    };
  };
}

const ASK_EVERY_MS = 5;
/** What was not written yet is lost with a process that is killed. */
const WRITE_EVERY_MS = 50;

export class HistoryLog {
  readonly #file: number;
  readonly #identity: string;
  #trueAt: number | null = null;
  #writtenAt = -Infinity;

  constructor(file: string, identity: string) {
    this.#file = openSync(file, 'a');
    this.#identity = identity;
  }

  write(line: HistoryLine): void {
    if (line.event === 'leading' || line.event === 'stopped') this.#close(line.at);
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  follow(election: Election): void {
    setInterval(() => this.#ask(election), ASK_EVERY_MS);
    subscribe(diagnosticsChannels.event, (message) => {
      const at = now();
      const { event, before, nonce, detail } = message as EventMessage;
      const { before: state, event: what } = detail as Detail;
      const { stamp, sight } = what;
      if (event === 'sent' && stamp !== undefined) this.write({ at, event, stamp });
      if (event !== 'news' || before !== 'holding' || sight === undefined) return;
      if (sight.kind !== 'absent' && sight.kind !== 'present') return;
      const { record, mark } = sight.lease ?? {};
      if (record?.holder === this.#identity && mark?.nonce === nonce) return;
      // It was not asked in this very moment; but what it would have answered is known.
      if (this.#trueAt !== null && systemClock.now().elapsed < (state.heldUntil ?? 0)) {
        this.#trueAt = at;
      }
      this.write({ at, event: 'told', isLeader: election.isLeader() });
    });
  }

  #ask(election: Election): void {
    // Before the question: so whatever the scheduler does, it was true at this time.
    const at = now();
    if (!election.isLeader()) {
      this.#close(now());
      return;
    }
    if (this.#trueAt === null || at - this.#writtenAt >= WRITE_EVERY_MS) {
      this.write({ at, event: 'believes' });
      this.#writtenAt = at;
    }
    this.#trueAt = at;
  }

  #close(at: number): void {
    if (this.#trueAt === null) return;
    const until = this.#trueAt;
    this.#trueAt = null;
    this.write({ at, event: 'doubts', until });
  }
}
