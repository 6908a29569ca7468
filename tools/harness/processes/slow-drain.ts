// A candidate of an election whose work ends only when the test asks for it, whatever the signals say. It notes what it
// is told, and when it believed to lead.
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient } from '../../../src/index.js';
import type { LeaseOptions, StopReason } from '../../../src/index.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface SlowDrainSettings {
  readonly name: string;
  readonly identity: string;
  readonly options: LeaseOptions;
  readonly drainTimeoutMs: number;
}

/** A term as its process saw it. Times are those of `now()`. */
export interface TermAccount {
  readonly token: bigint;
  readonly startedAt: number;
  /** When `signal` and `lostSignal` were aborted. */
  signalAt: number | null;
  lostAt: number | null;
  /** Each call of `onStoppedLeading`. */
  readonly stopped: { readonly at: number; readonly reason: StopReason }[];
  /** When the callback settled. */
  settledAt: number | null;
}

/** `isLeader()` was true at every question from one time to the other. */
export interface Belief {
  readonly from: number;
  to: number;
}

export interface SlowDrainAccount {
  readonly terms: readonly TermAccount[];
  readonly beliefs: readonly Belief[];
  readonly isLeader: boolean;
}

export type SlowDrainCalls = typeof calls;

const ASK_EVERY_MS = 5;

const { name, identity, options, drainTimeoutMs } = settings() as SlowDrainSettings;
const terms: TermAccount[] = [];
const beliefs: Belief[] = [];
let release: () => void = () => undefined;

const election = new Election(name, {
  client: new LeaseClient({ identity }),
  ...options,
  drainTimeoutMs,
  onStartedLeading: async ({ signal, lostSignal, fencingToken: token }) => {
    const unknown = { signalAt: null, lostAt: null, settledAt: null };
    const term: TermAccount = { token, startedAt: now(), ...unknown, stopped: [] };
    terms.push(term);
    signal.addEventListener('abort', () => (term.signalAt = now()));
    lostSignal.addEventListener('abort', () => (term.lostAt = now()));
    await new Promise<void>((resolve) => (release = resolve));
    term.settledAt = now();
  },
  onStoppedLeading: (reason) => terms.at(-1)?.stopped.push({ at: now(), reason }),
});

let believes = false;
function ask(): void {
  const before = now();
  const answer = election.isLeader();
  const after = now();
  const belief = beliefs.at(-1);
  // Never longer than it surely was: begun after the first answer, ended before the last question.
  if (answer && (!believes || belief === undefined)) beliefs.push({ from: after, to: after });
  else if (answer && belief !== undefined) belief.to = before;
  believes = answer;
}
setInterval(ask, ASK_EVERY_MS);

const calls = {
  run: (): void => {
    void election.run();
  },

  /** Resolves when it knows that this one leads. */
  sees: async (leader: string): Promise<void> => {
    while (election.leader !== leader) await sleep(10);
  },

  /** Resolves at once with the time at which it was asked to. */
  stepDown: (cooldownMs: number): number => {
    const at = now();
    void election.stepDown({ cooldownMs });
    return at;
  },

  /** Lets the work of the term end. */
  settle: (): number => {
    release();
    return now();
  },

  account: (): SlowDrainAccount => {
    ask();
    return { terms, beliefs, isLeader: believes };
  },
};

serve(calls);
