// Rights and tokens that are taken away from an election: at first, while it leads, while it campaigns.
import { describe, expect, it } from '@jest/globals';
import { ForbiddenError, UnauthorizedError } from '@metaparticle/sync';
import type { ElectionOptions } from '@metaparticle/sync';
import type { RequestPattern, Verb } from '@metaparticle/sync/testing';
import { candidate } from '../../support/candidate.js';
import type { Candidate } from '../../support/candidate.js';
import { expectError, isPending, rejection, sleep, until } from '../../support/promises.js';
import { SocketCluster, quick, quickBeliefMs } from '../../support/cluster.js';

/** Pause before an election that has led campaigns again after a refusal. */
const PAUSE_MS = 5_000;
const SLACK_MS = 1_500;

type Kind = readonly [title: string, refuse: (world: SocketCluster, user: string) => () => void];

function forbid({ api }: SocketCluster, match: RequestPattern): () => void {
  const fault = api.faults.forbid(match);
  return () => fault.remove();
}

/** What a candidate of its own user is refused from now on; called back, it is allowed again. */
const everything: Kind = ['everything (403)', (world, user) => forbid(world, { user })];
const writing: Kind = [
  'writing (403)',
  (world, user) => forbid(world, { user, verb: ['create', 'update'] }),
];
const theToken: Kind = [
  'its token (401)',
  ({ api }, user) => {
    const { token } = api.kubeConfigFor({ user }).getCurrentUser();
    api.revokeToken(token);
    return () => api.acceptToken(token, user);
  },
];

/** A candidate who is a user of his own. */
function userCandidate(
  world: SocketCluster,
  user: string,
  over: Partial<ElectionOptions> = {},
): Candidate {
  const kubeConfig = world.api.kubeConfigFor({ user });
  return candidate(world, user, { client: world.client({ identity: user, kubeConfig }), ...over });
}

async function leads({ election }: Candidate, limitMs?: number): Promise<void> {
  await until('a leader', () => election.isLeader(), limitMs);
}

function refusals({ api }: SocketCluster, user: string): number {
  return api.requests.count(
    ({ user: who, status, verb }) =>
      (who === user || who === '') && verb !== 'watch' && (status === 401 || status === 403),
  );
}

/** Of refusals, as the client of this world was warned of them. */
function warnings({ warnings: all }: SocketCluster): string[] {
  return all.filter(({ code }) => code === 'ACCESS_LOST').map(({ message }) => message);
}

const forbidding = (verb: Verb): Kind[1] => {
  return (world, user) => forbid(world, { user, verb });
};

const first: readonly (readonly [string, Verb, Kind[1]])[] = [
  ['to look', 'get', forbidding('get')],
  ['to create', 'create', forbidding('create')],
  ['to claim', 'update', forbidding('update')],
  ['its token', 'get', theToken[1]],
];

describe('an election that is refused', () => {
  it.concurrent.each(first)(
    '%s on its first campaign rejects at once, and can be run again',
    async (title, verb, refuse) => {
      await using world = await SocketCluster.start();
      const a = userCandidate(world, 'a');
      const allow = refuse(world, 'a');
      const startedAt = performance.now();
      const error = await rejection(a.run());
      if (title === 'its token') expectError(error, UnauthorizedError, 'ERR_UNAUTHORIZED', '401');
      else expectError(error, ForbiddenError, 'ERR_FORBIDDEN', `not allowed to ${verb} leases`);
      expect(performance.now() - startedAt).toBeLessThan(SLACK_MS);
      expect(world.api.requests.counts[verb]).toBe(1);
      expect([a.terms, a.stopped, world.warned]).toEqual([[], [], []]);
      allow();
      const run = a.run();
      await leads(a);
      a.stop.abort();
      await run;
    },
  );

  it.concurrent.each([everything, writing, theToken])(
    '%s while it leads: belief ends in time, it goes on, warns once, and leads again',
    async (_, refuse) => {
      await using world = await SocketCluster.start();
      const a = userCandidate(world, 'a');
      const run = a.run();
      await leads(a);
      const allow = refuse(world, 'a');
      const refusedAt = performance.now();
      await until('the loss', () => a.stopped.length === 1, quickBeliefMs + SLACK_MS);
      expect(performance.now() - refusedAt).toBeLessThan(quickBeliefMs + 500);
      expect(a.stopped).toEqual(['lost']);
      expect(a.terms[0]?.lostSignal.reason).toMatchObject({ reason: 'expired' });
      const lostAt = performance.now();
      const isCampaignTold = (): boolean =>
        warnings(world).some((message) => message.startsWith('election crown: '));
      await until('a refused campaign', isCampaignTold, quick.leaseDurationMs + SLACK_MS);
      const before = refusals(world, 'a');
      // A second campaign comes within this time, and is refused as well.
      await sleep(PAUSE_MS + 1_000);
      expect(await isPending(run)).toBe(true);
      expect(refusals(world, 'a') - before).toBeGreaterThanOrEqual(1);
      expect(refusals(world, 'a') - before).toBeLessThanOrEqual(3);
      expect(performance.now() - lostAt).toBeGreaterThan(PAUSE_MS);
      // Once of each matter: what the leader may not, and what the candidate may not, by verb.
      const told = warnings(world);
      expect(new Set(told).size).toBe(told.length);
      expect(told.filter((message) => message.includes('refused for now'))).toHaveLength(1);
      expect(told.length).toBeLessThanOrEqual(3);
      allow();
      await leads(a, PAUSE_MS + SLACK_MS);
      expect(a.terms).toHaveLength(2);
      expect(a.terms[1]!.fencingToken).toBeGreaterThan(a.terms[0]!.fencingToken);
      a.stop.abort();
      await run;
      expect(a.stopped).toEqual(['lost', 'aborted']);
    },
    40_000,
  );

  it.concurrent.each([everything, theToken])(
    '%s while it campaigns, having led before: it goes on, warns once, and leads again',
    async (_, refuse) => {
      await using world = await SocketCluster.start();
      const [a, b] = [userCandidate(world, 'a'), userCandidate(world, 'b')];
      const runs = [a.run()];
      await leads(a);
      runs.push(b.run());
      await until('b knows', () => b.election.leader === 'a');
      await a.election.stepDown({ cooldownMs: 1_000 });
      await leads(b);
      await until('a knows', () => a.election.leader === 'b');
      await sleep(300);
      const allow = refuse(world, 'a');
      // Who may not watch any more has to ask.
      world.api.faults.resetWatches({ match: { user: 'a' } });
      await until('a warning', () => warnings(world).length > 0, 2 * PAUSE_MS);
      await sleep(PAUSE_MS + 1_000);
      expect(await isPending(runs[0]!)).toBe(true);
      expect(new Set(warnings(world)).size).toBe(warnings(world).length);
      expect(warnings(world).length).toBeLessThanOrEqual(2);
      expect([a.election.isLeader(), b.election.isLeader()]).toEqual([false, true]);
      allow();
      b.stop.abort();
      await runs[1];
      await leads(a, PAUSE_MS + SLACK_MS);
      a.stop.abort();
      await runs[0];
      expect([a.stopped, b.stopped]).toEqual([['stepped-down', 'aborted'], ['aborted']]);
    },
    40_000,
  );

  it.concurrent(
    'while it waits behind another leader, having been allowed to look: it waits on, warns once',
    async () => {
      await using world = await SocketCluster.start();
      const [a, b] = [
        userCandidate(world, 'a'),
        userCandidate(world, 'b', { leaseDurationMs: 60_000 }),
      ];
      const runs = [b.run()];
      await leads(b);
      runs.push(a.run());
      await until('a knows', () => a.election.leader === 'b');
      await sleep(200);
      const allow = theToken[1](world, 'a');
      world.api.faults.resetWatches({ match: { user: 'a' } });
      await until('a warning', () => warnings(world).length > 0, 8_000);
      await sleep(4_500);
      expect(await isPending(runs[1]!)).toBe(true);
      expect(warnings(world)).toHaveLength(1);
      allow();
      await sleep(1_200);
      b.stop.abort();
      await runs[0];
      await leads(a, 3_000);
      a.stop.abort();
      await runs[1];
    },
    30_000,
  );
});
