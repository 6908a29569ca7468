import { Election } from '@metaparticle/sync';
import type { ElectionOptions, LeaseClient, Leading, StopReason } from '@metaparticle/sync';
import { quick } from './cluster.js';

export interface Candidate {
  readonly election: Election;
  /** What each leading callback was given, in order. */
  readonly terms: Leading[];
  readonly stopped: StopReason[];
  readonly leaders: (string | null)[];
  /** Ends `run()`. */
  readonly stop: AbortController;
  run(): Promise<void>;
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
  const election = new Election('crown', {
    client: over.client ?? cluster.client({ identity }),
    ...quick,
    onStartedLeading: (leading) => void terms.push(leading),
    onStoppedLeading: (reason) => stopped.push(reason),
    onNewLeader: (leader) => leaders.push(leader),
    ...over,
  });
  const stop = new AbortController();
  const run = (): Promise<void> => {
    const running = election.run({ signal: stop.signal });
    // Where a test has failed before it awaits this, its own failure is the one to be told.
    running.catch(() => undefined);
    return running;
  };
  return { election, terms, stopped, leaders, stop, run };
}
