// A process that wants locks and leads elections, again and again, whatever happens; it writes down what it
// believes, and writes to a register while it believes to be allowed to.
import { subscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient, Lock, diagnosticsChannels } from '../../../src/index.js';
import type { EventMessage, LeaseOptions } from '../../../src/index.js';
import { systemClock } from '../../../src/lease/clock.js';
import { recall } from './recall.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

/** A Lease that is wanted. */
export interface Wanted {
  readonly kind: 'lock' | 'election';
  readonly name: string;
  /** How long a lock is kept before it is given back; without it, until it is lost. */
  readonly holdMs?: number;
  readonly namespace: string;
}

export interface WorkloadSettings {
  readonly identity: string;
  readonly options: LeaseOptions;
  readonly wanted: readonly Wanted[];
  /** File that gets a `WorkloadLine` for all that matters, at once: nothing is lost with a killed process. */
  readonly log: string;
  readonly registerPort: number;
  /** A planted fault: how long it goes on to believe, and to write. */
  readonly overstaysMs?: number;
}

/** Times are those of `now()`, leases are `namespace/name`, a term is its nonce. */
export type WorkloadLine = { readonly at: number; readonly lease: string } & (
  | {
      readonly event: 'won';
      readonly term: string;
      readonly token: string;
      /** Believes until then, unless it is told otherwise. */
      readonly until: number;
    }
  | { readonly event: 'extended'; readonly term: string; readonly until: number }
  | {
      readonly event: 'ended';
      readonly term: string;
      readonly reason: string;
      /** What was done and heard before it expired, for people. */
      readonly recalled?: readonly string[];
    }
  /** This process was not given the time to do anything since then; of no lease. */
  | { readonly event: 'starved'; readonly since: number }
  /** An attempt that was refused. */
  | { readonly event: 'failed'; readonly error: string }
);

export type WorkloadCalls = typeof calls;

/** As far as this program reads the protocol's own values. */
interface Detail {
  readonly event: { readonly live?: boolean };
  readonly after: {
    readonly heldUntil?: number;
    readonly end?: { readonly how: string; readonly reason?: string };
  };
}

interface Term {
  readonly lease: string;
  readonly term: string;
  readonly token: string;
  until: number;
}

const ASK_EVERY_MS = 20;
/** Timers are late by a little every day. */
const STARVED_MS = 150;
const WRITE_EVERY_MS = 100;
/** Between the last question and the write: where a pause makes a write late. */
const BEFORE_WRITE_MS = 10;
const AFTER_FAILURE_MS = 200;
const BETWEEN_TURNS_MS = 50;

const {
  identity,
  options,
  wanted,
  log,
  registerPort,
  overstaysMs = 0,
} = settings() as WorkloadSettings;
const file = openSync(log, 'a');
const register = connect(registerPort, '127.0.0.1').on('error', () => undefined);
// What it is warned of is what is done to it.
const client = new LeaseClient({ identity, onWarning: () => undefined });
const terms = new Map<string, Term>();
/** What the public interface says of each lease that was won. */
const questions = new Map<string, () => boolean>();
/** Leases that a watch has told of. */
const listened = new Set<string>();
const elections = new Map<string, Election>();
/** What ends the wish for a Lease, and resolves when nothing of it is left. */
const wishes = new Map<string, () => Promise<void>>();

function note(line: WorkloadLine): void {
  writeSync(file, `${JSON.stringify(line)}\n`);
}

subscribe(diagnosticsChannels.event, (message) => {
  const { lease, nonce: term, before, after, token, detail } = message as EventMessage;
  const { event: what, after: state } = detail as Detail;
  const { heldUntil, end } = state;
  const at = now();
  if (what.live === true) listened.add(lease);
  if (after === 'holding' && heldUntil !== undefined) {
    const until = at + heldUntil - systemClock.now().elapsed + overstaysMs;
    believe({ lease, term, token: String(token), until }, at);
  } else if (before === 'holding') {
    const reason = end?.reason ?? end?.how ?? 'released';
    if (overstaysMs > 0 && reason !== 'released') return;
    const recalled = reason === 'expired' ? { recalled: recall(lease) } : {};
    note({ at, lease, event: 'ended', term, reason, ...recalled });
    if (terms.get(lease)?.term === term) terms.delete(lease);
  }
});

function believe(term: Term, at: number): void {
  const known = terms.get(term.lease);
  if (known?.term !== term.term) {
    terms.set(term.lease, term);
    note({ at, event: 'won', ...term });
  } else if (term.until > known.until + 1) {
    known.until = term.until;
    note({ at, event: 'extended', lease: term.lease, term: term.term, until: term.until });
  }
}

let askedAt = now();
setInterval(() => {
  const since = askedAt;
  askedAt = now();
  if (askedAt - since > STARVED_MS) note({ at: askedAt, lease: '', event: 'starved', since });
  for (const [lease, isOurs] of questions) {
    // Before the question: so whatever the scheduler does, it was true at this time.
    const at = now();
    const term = terms.get(lease);
    // What the public interface claims counts, if that is more than it should.
    if (term !== undefined && isOurs() && at > term.until) believe({ ...term, until: at }, at);
  }
}, ASK_EVERY_MS);

setInterval(() => {
  for (const [lock, isOurs] of questions) {
    const term = terms.get(lock);
    if (term === undefined) continue;
    const overstays = overstaysMs > 0 && now() < term.until;
    if (!isOurs() && !overstays) continue;
    const line = `${JSON.stringify({ process: identity, lock, token: term.token })}\n`;
    setTimeout(() => register.write(line), BEFORE_WRITE_MS);
  }
}, WRITE_EVERY_MS);

/** Tries again after each refusal, which it notes, until the signal aborts. */
async function insist(
  lease: string,
  signal: AbortSignal,
  attempt: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await attempt();
      await sleep(BETWEEN_TURNS_MS);
    } catch (error) {
      const name = error instanceof Error ? error.name : String(error);
      note({ at: now(), lease, event: 'failed', error: name });
      await sleep(AFTER_FAILURE_MS);
    }
  }
}

async function takeTurn(lock: Lock, holdMs: number, signal: AbortSignal): Promise<void> {
  const handle = await lock.acquire({ signal });
  questions.set(handle.name, () => handle.isHeld());
  // Whichever comes first, and nothing of the others is left.
  const over = AbortSignal.any([handle.signal, signal]);
  await sleep(holdMs, undefined, { signal: over }).catch(() => undefined);
  await handle.release();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Longer than any test. */
const FOR_EVER_MS = 2 ** 31 - 1;

const calls = {
  want: ({ kind, name, namespace, holdMs = FOR_EVER_MS }: Wanted): void => {
    const all = { ...options, namespace, client };
    const lease = `${namespace}/${name}`;
    const end = new AbortController();
    const { signal } = end;
    let attempt: () => Promise<void>;
    if (kind === 'lock') {
      const lock = new Lock(name, all);
      attempt = () => takeTurn(lock, holdMs, signal);
    } else {
      const onStartedLeading = (term: { signal: AbortSignal }): Promise<void> =>
        aborted(term.signal);
      const election = new Election(name, { ...all, onStartedLeading });
      questions.set(lease, () => election.isLeader());
      elections.set(name, election);
      attempt = () => election.run({ signal });
    }
    const done = insist(lease, signal, attempt);
    wishes.set(lease, () => {
      end.abort();
      return done;
    });
  },

  /** Gives a Lease back and wants it no longer. */
  cease: async (lease: string): Promise<void> => {
    await wishes.get(lease)?.();
    wishes.delete(lease);
    questions.delete(lease);
  },

  /** Resolves when it listens to all it wants: from then on it counts from what it sees. */
  attend: async (): Promise<void> => {
    while (wanted.some(({ name, namespace }) => !listened.has(`${namespace}/${name}`))) {
      await sleep(ASK_EVERY_MS);
    }
  },

  stepDown: async (name: string): Promise<void> => {
    await elections.get(name)?.stepDown({ cooldownMs: 0 });
  },

  /** Nothing runs in this process for that time. */
  block: (ms: number): void => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },

  /** Gives back all it has. */
  leave: async (): Promise<void> => {
    await client.close();
  },
};

for (const each of wanted) calls.want(each);
serve(calls);
