import { Election } from '@metaparticle/sync';
import type { ElectionOptions, LeaseClient, Leading, StopReason } from '@metaparticle/sync';
import { quick } from './cluster.js';
import type { Cluster } from './cluster.js';

export interface Candidate {
  readonly election: Election;
  /** What each leading callback was given, in order. */
  readonly terms: Leading[];
  readonly stopped: StopReason[];
  readonly leaders: (string | null)[];
  /** Ends `run()`. */
  readonly stop: AbortController;
  run(): Promise<void>;
  /** What the last `run()` returned. */
  readonly running: Promise<void>;
}

/** A cluster of either kind. */
interface Clients {
  client(options: { readonly identity: string }): LeaseClient;
}

/** One candidate in a process of its own, with quick timings, and all that its callbacks were called with. */
export function candidate(
  cluster: Clients,
  identity: string,
  over: Partial<ElectionOptions> = {},
): Candidate {
  const terms: Leading[] = [];
  const stopped: StopReason[] = [];
  const leaders: (string | null)[] = [];
  const { onStartedLeading, ...others } = over;
  const election = new Election('crown', {
    client: over.client ?? cluster.client({ identity }),
    ...quick,
    onStartedLeading: (leading) => {
      terms.push(leading);
      return onStartedLeading?.(leading);
    },
    onStoppedLeading: (reason) => stopped.push(reason),
    onNewLeader: (leader) => leaders.push(leader),
    ...others,
  });
  const stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const run = (): Promise<void> => {
    running = election.run({ signal: stop.signal });
    // Where a test has failed before it awaits this, its own failure is the one to be reported.
    running.catch(() => undefined);
    return running;
  };
  return {
    ...{ election, terms, stopped, leaders, stop, run },
    get running() {
      return running;
    },
  };
}

/** Lets time pass until the candidate leads. */
export function leads(cluster: Cluster, { election }: Candidate, limitMs?: number): Promise<void> {
  return cluster.until('a leader', () => election.isLeader(), limitMs);
}

/** A candidate that leads. */
export async function leader(
  cluster: Cluster,
  identity: string,
  over: Partial<ElectionOptions> = {},
): Promise<Candidate> {
  const one = candidate(cluster, identity, over);
  void one.run();
  await leads(cluster, one);
  return one;
}

/** A candidate that runs and waits, and knows who leads. */
export async function follower(
  cluster: Cluster,
  identity: string,
  over: Partial<ElectionOptions> = {},
): Promise<Candidate> {
  const one = candidate(cluster, identity, over);
  void one.run();
  await cluster.until('a leader is known', () => one.election.leader !== null);
  return one;
}

/** Asks candidates to stop, and lets time pass until their `run()` has resolved. */
export async function end(cluster: Cluster, ...all: readonly Candidate[]): Promise<void> {
  for (const { stop } of all) stop.abort();
  await cluster.settled(Promise.all(all.map(({ running }) => running)));
}

/** The work of a leader that goes on until the test finishes it. */
export function openWork(): { readonly done: Promise<void>; finish(): void } {
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  return { done, finish };
}
