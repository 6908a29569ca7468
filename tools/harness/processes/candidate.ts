// A process that takes part in an election, and notes its terms.
import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient } from '../../../src/index.js';
import type { ElectionOptions, StopReason } from '../../../src/index.js';
import { HistoryLog } from './history-log.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface CandidateSettings {
  readonly name: string;
  readonly identity: string;
  readonly options?: Omit<ElectionOptions, 'onStartedLeading'>;
  /** File that gets a line of JSON for all that matters, at once. */
  readonly log?: string;
}

/** Times are those of `now()`. */
export interface CandidateTerm {
  readonly at: number;
  readonly token: bigint;
  readonly ended: { readonly at: number; readonly reason: StopReason } | null;
}

export type CandidateCalls = typeof calls;

const { name, identity, options = {}, log: file } = settings() as CandidateSettings;
const log = file === undefined ? undefined : new HistoryLog(file, identity);
const client = new LeaseClient({ identity });
const terms: { at: number; token: bigint; ended: CandidateTerm['ended'] }[] = [];
const news = new EventEmitter();
let begun: Promise<void> = Promise.resolve();
let stop = new AbortController();

const election = new Election(name, {
  ...options,
  client,
  onStartedLeading: async ({ signal, fencingToken: token }) => {
    const at = now();
    log?.write({ at, event: 'leading', token: token.toString() });
    terms.push({ at, token, ended: null });
    news.emit('term');
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  },
  onNewLeader: () => news.emit('leader'),
  onStoppedLeading: (reason) => {
    const at = now();
    log?.write({ at, event: 'stopped', reason });
    const term = terms.at(-1);
    if (term !== undefined) term.ended = { at, reason };
  },
});
log?.follow(election);

const calls = {
  /** Resolves when `run()` has been called; it goes on until `stop`. */
  start: (): void => {
    stop = new AbortController();
    begun = election.run({ signal: stop.signal });
    begun.catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  },

  /** The term after so many that there were. */
  term: async (count: number): Promise<CandidateTerm> => {
    while (terms.length <= count) await once(news, 'term');
    return terms[count] as CandidateTerm;
  },

  /** Resolves once it knows that this one leads. */
  sees: async (identity: string): Promise<void> => {
    while (election.leader !== identity) await once(news, 'leader');
  },

  terms: (): readonly CandidateTerm[] => terms,

  stepDown: async (cooldownMs: number): Promise<{ calledAt: number; at: number }> => {
    const calledAt = now();
    await election.stepDown({ cooldownMs });
    return { calledAt, at: now() };
  },

  /** Aborts the signal of `run()`, and resolves when that has ended. */
  stop: async (): Promise<{ calledAt: number; at: number }> => {
    const calledAt = now();
    stop.abort();
    await begun;
    return { calledAt, at: now() };
  },

  isLeader: (): boolean => election.isLeader(),

  /** Resolves at that time, by the clock of this process. */
  cooledDown: async (at: number): Promise<void> => {
    while (now() < at) await sleep(at - now());
  },
};

serve(calls);
