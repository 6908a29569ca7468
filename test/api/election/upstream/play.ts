// One case of another elector's tests: what it comes to here, and how it is played.
import { expect } from '@jest/globals';
import type { ElectionOptions } from '@metaparticle/sync';
import type { LeaseMetadata, LeaseSpec } from '@metaparticle/sync/testing';
import { candidate, leads as lead } from '../../../support/candidate.js';
import type { Candidate } from '../../../support/candidate.js';
import { Cluster } from '../../../support/cluster.js';

export interface Stage {
  readonly cluster: Cluster;
  /** It runs. */
  readonly me: Candidate;
}

interface Case {
  /** The number in the order of upstream, and the name that the case has there, in our words. */
  readonly title: string;
  /** What it asserts there, to compare with. */
  readonly upstream: string;
}

/** It is played: one candidate named `me`, and all that the embedded server saw of it. */
interface Played {
  /** In what it differs from upstream on purpose, if in anything. */
  readonly differs?: string;
  /** The stored spec before; `null`: no Lease. */
  readonly start: LeaseSpec | null;
  readonly metadata?: Partial<LeaseMetadata>;
  readonly options?: Partial<ElectionOptions>;
  readonly before?: (cluster: Cluster) => unknown;
  /**
   * What happens after `run()` was called, until the account is taken. Left out: it leads. What it
   * returns stands for the requests until then; otherwise those of the whole story count.
   */
  readonly act?: (stage: Stage) => Promise<readonly string[] | undefined>;
  /** Verb and status of each request as the server saw them, in order; watches left apart. */
  readonly requests: readonly string[];
  /** `leaseTransitions` at the end; `null`: no Lease. */
  readonly transitions: number | null;
  /** What `onNewLeader` was told. */
  readonly told: readonly (string | null)[];
}

/** It is not played: the same cannot happen here, or is not wanted. */
interface Different {
  readonly onPurpose: string;
}

/** It is played elsewhere: the file, and words of the test's name. */
interface Elsewhere {
  readonly provenIn: string;
  readonly words: string;
}

export type Row = Case & (Played | Different | Elsewhere);

/** Longer than any row takes, so that no renewal comes between. */
export const calm = { leaseDurationMs: 60_000, renewIntervalMs: 20_000, marginMs: 2_000 } as const;

export async function leads({ cluster, me }: Stage): Promise<undefined> {
  await lead(cluster, me);
}

/** Verb and status of each request so far; `-` where none was given. */
export function requestsOf({ api }: Cluster): string[] {
  return api.requests.log
    .filter(({ verb }) => verb !== 'watch')
    .map(({ verb, status }) => `${verb} ${status ?? '-'}`);
}

export async function play(row: Played): Promise<void> {
  const { start, metadata, options, before, act = leads } = row;
  await using cluster = await Cluster.start({ extraSpecFields: ['newField'] });
  if (start !== null)
    cluster.api.leases.create({ metadata: { name: 'crown', ...metadata }, spec: start });
  before?.(cluster);
  const me = candidate(cluster, 'me', { ...calm, ...options });
  void me.run();
  const requests = (await act({ cluster, me })) ?? requestsOf(cluster);
  const transitions = cluster.api.leases.get('default', 'crown')?.spec.leaseTransitions ?? null;
  expect({ requests, transitions, told: me.leaders }).toEqual({
    requests: row.requests,
    transitions: row.transitions,
    told: row.told,
  });
  me.stop.abort();
}
