// Rights and tokens that are taken away from an election: at first, while it leads, while it campaigns.
import { describe, expect, it } from '@jest/globals';
import { ForbiddenError, UnauthorizedError } from '@metaparticle/sync';
import type { ElectionOptions } from '@metaparticle/sync';
import type { RequestPattern, Verb } from '@metaparticle/sync/testing';
import { candidate, end, leads } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { Cluster, quickHeldMs } from '../../support/cluster.js';
import { expectError, isPending, rejection } from '../../support/promises.js';

/** Pause before an election that has led campaigns again after a refusal. */
const PAUSE_MS = 5_000;

type Refuse = (cluster: Cluster, user: string) => () => void;
type Kind = readonly [title: string, refuse: Refuse];

const forbidding =
  (match: RequestPattern): Refuse =>
  ({ api }, user) => {
    const fault = api.faults.forbid({ user, ...match });
    return () => fault.remove();
  };

const revokingToken: Refuse = ({ api }, user) => {
  const { token } = api.kubeConfigFor({ user }).getCurrentUser();
  api.revokeToken(token);
  return () => api.acceptToken(token, user);
};

/** What a candidate's own user is refused from now on; called back, it is allowed again. */
const everything: Kind = ['everything (403)', forbidding({})];
const writing: Kind = ['writing (403)', forbidding({ verb: ['create', 'update'] })];
const itsToken: Kind = ['its token (401)', revokingToken];

/** A candidate that is a user of its own. */
function userCandidate(
  cluster: Cluster,
  user: string,
  over: Partial<ElectionOptions> = {},
): Candidate {
  const kubeConfig = cluster.api.kubeConfigFor({ user });
  const client = cluster.client({ identity: user, kubeConfig });
  return candidate(cluster, user, { client, ...over });
}

async function userLeader(cluster: Cluster, user: string, over?: Partial<ElectionOptions>) {
  const one = userCandidate(cluster, user, over);
  void one.run();
  await leads(cluster, one);
  return one;
}

async function userFollower(cluster: Cluster, user: string) {
  const one = userCandidate(cluster, user);
  void one.run();
  await cluster.until('a leader is known', () => one.election.leader !== null);
  return one;
}

function refusals({ api }: Cluster): number {
  return api.requests.count(
    ({ status, verb }) => verb !== 'watch' && (status === 401 || status === 403),
  );
}

/** Of refusals, as the clients of this cluster were warned of them. */
function accessWarnings({ warnings: all }: Cluster): string[] {
  return all.filter(({ code }) => code === 'ACCESS_LOST').map(({ message }) => message);
}

describe('an election that is refused on its first campaign', () => {
  it.each<readonly [what: string, verb: Verb, refuse: Refuse]>([
    ['to look', 'get', forbidding({ verb: 'get' })],
    ['to create', 'create', forbidding({ verb: 'create' })],
    ['to claim', 'update', forbidding({ verb: 'update' })],
    ['its token', 'get', revokingToken],
  ])('%s rejects at once, and can be run again', async (what, verb, refuse) => {
    await using cluster = await Cluster.start();
    const a = userCandidate(cluster, 'a');
    const allow = refuse(cluster, 'a');
    const error = await cluster.settled(rejection(a.run()));
    if (what === 'its token') expectError(error, UnauthorizedError, 'ERR_UNAUTHORIZED', '401');
    else expectError(error, ForbiddenError, 'ERR_FORBIDDEN', `not allowed to ${verb} leases`);
    expect(cluster.now).toBe(0);
    expect(cluster.api.requests.counts[verb]).toBe(1);
    expect([a.terms, a.stopped, cluster.warned]).toEqual([[], [], []]);
    allow();
    void a.run();
    await leads(cluster, a);
    await end(cluster, a);
  });
});

describe('an election that is refused while it leads', () => {
  it.each([everything, writing, itsToken])(
    '%s: belief ends in time; it goes on, warns once of each matter, and leads again',
    async (_, refuse) => {
      await using cluster = await Cluster.start();
      const a = await userLeader(cluster, 'a');
      const allow = refuse(cluster, 'a');
      await cluster.until('the loss', () => a.stopped.length === 1);
      expect(cluster.now).toBe(quickHeldMs);
      expect(a.stopped).toEqual(['lost']);
      expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
      const isCampaignRefused = (): boolean =>
        accessWarnings(cluster).some((message) => message.startsWith('election crown: '));
      await cluster.until('a refused campaign', isCampaignRefused);
      const [refusedAt, before] = [cluster.now, refusals(cluster)];
      await cluster.advance(PAUSE_MS - 1);
      expect(refusals(cluster) - before).toBe(0);
      // A second campaign comes, and is refused as well.
      await cluster.advance(1);
      expect(refusals(cluster) - before).toBe(1);
      expect(cluster.now).toBe(refusedAt + PAUSE_MS);
      expect(await isPending(a.running)).toBe(true);
      // Once of each matter: what the leader may not do, and what the candidate may not do, by verb.
      const messages = accessWarnings(cluster);
      expect(new Set(messages).size).toBe(messages.length);
      expect(messages.filter((message) => message.includes('refused for now'))).toHaveLength(1);
      expect(messages.length).toBeLessThanOrEqual(3);
      allow();
      await leads(cluster, a);
      expect(cluster.now).toBe(refusedAt + 2 * PAUSE_MS);
      expect(a.terms).toHaveLength(2);
      expect(a.terms[1]!.fencingToken).toBeGreaterThan(a.terms[0]!.fencingToken);
      await end(cluster, a);
      expect(a.stopped).toEqual(['lost', 'aborted']);
    },
  );
});

describe('an election that is refused while it campaigns, having led before', () => {
  it.each([everything, itsToken])(
    '%s: it goes on, warns once of each matter, and leads again',
    async (_, refuse) => {
      await using cluster = await Cluster.start();
      const a = await userLeader(cluster, 'a');
      const b = await userFollower(cluster, 'b');
      await cluster.settled(a.election.stepDown({ cooldownMs: 1_000 }));
      await leads(cluster, b);
      await cluster.advance(1_300);
      expect(a.election.leader).toBe('b');
      const allow = refuse(cluster, 'a');
      // A client that may not watch any more has to ask.
      cluster.api.faults.resetWatches({ match: { user: 'a' } });
      await cluster.until('a warning', () => accessWarnings(cluster).length > 0, 2 * PAUSE_MS);
      await cluster.advance(PAUSE_MS + 1_000);
      expect(await isPending(a.running)).toBe(true);
      const messages = accessWarnings(cluster);
      expect(new Set(messages).size).toBe(messages.length);
      expect(messages.length).toBeLessThanOrEqual(2);
      expect([a.election.isLeader(), b.election.isLeader()]).toEqual([false, true]);
      allow();
      await end(cluster, b);
      await leads(cluster, a, PAUSE_MS + 1_000);
      await end(cluster, a);
      expect([a.stopped, b.stopped]).toEqual([['stepped-down', 'aborted'], ['aborted']]);
    },
  );
});

describe('an election that is refused while it waits for its first term, having been allowed to look', () => {
  it('waits on, and warns once', async () => {
    await using cluster = await Cluster.start();
    const b = await userLeader(cluster, 'b', { leaseDurationMs: 60_000 });
    const a = await userFollower(cluster, 'a');
    await cluster.advance(200);
    const allow = revokingToken(cluster, 'a');
    cluster.api.faults.resetWatches({ match: { user: 'a' } });
    await cluster.until('a warning', () => accessWarnings(cluster).length > 0, 8_000);
    await cluster.advance(4_500);
    expect(await isPending(a.running)).toBe(true);
    expect(accessWarnings(cluster)).toHaveLength(1);
    allow();
    await end(cluster, b);
    await leads(cluster, a);
    await end(cluster, a);
  });

  it('does not end by a token that is not accepted for a while', async () => {
    await using cluster = await Cluster.start();
    const a = await userLeader(cluster, 'a');
    const b = await userFollower(cluster, 'b');
    await cluster.advance(2_000);
    const accept = revokingToken(cluster, 'b');
    // Its watch goes on: it learns of the release, and its claim is refused.
    await end(cluster, a);
    await cluster.advance(1_000);
    // At once, and again a second later.
    expect(refusals(cluster)).toBe(2);
    expect(await isPending(b.running)).toBe(true);
    accept();
    await leads(cluster, b);
    expect(cluster.now).toBe(4_000);
    await end(cluster, b);
  });

  it('does not end by one that is not accepted after a step-down', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('crown', { leaseDurationSeconds: 60 });
    const b = await userFollower(cluster, 'b');
    await cluster.advance(300);
    await cluster.settled(b.election.stepDown({ cooldownMs: 0 }));
    await cluster.advance(300);
    const accept = revokingToken(cluster, 'b');
    cluster.vacate('crown');
    await cluster.advance(1_000);
    expect(refusals(cluster)).toBe(1);
    expect(await isPending(b.running)).toBe(true);
    accept();
    await leads(cluster, b);
    await end(cluster, b);
  });
});
