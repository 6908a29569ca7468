// Elections under faults that chance picks: drops, delays, refusals, silent watches; candidates that step
// down, stop and run again; and in every other world outsiders who keep to no protocol.
// SYNC_TEST_SEED=n tells a story again, as far as time allows; SYNC_TEST_STORIES=n tells so many.
import { describe, expect, it } from '@jest/globals';
import type { RequestPattern } from '@metaparticle/sync/testing';
import { random as generator } from '../../unit/protocol/world.js';
import { sleep } from '../../support/promises.js';
import { SocketCluster, quick, quickBeliefMs } from '../../support/cluster.js';
import { Actor } from './actor.js';
import type { Random } from './actor.js';
import { History } from './history.js';

const FIRST_SEED = Number(process.env.SYNC_TEST_SEED ?? Date.now() % 1_000_000);
const STORIES = Number(process.env.SYNC_TEST_STORIES ?? 4);
const STORY_MS = 9_000;
const DRAIN_TIMEOUT_MS = 600;
const LOOK_EVERY_MS = 3;
const CUT_OFF_MS = quick.leaseDurationMs + 1_500;
/** What a candidate may have to wait for: the lease, a poll, an attempt, a pause after a refusal, old work. */
const PROGRESS_MS = quick.leaseDurationMs + 2_000 + 5_000 + 5_000 + 1_500;
/** `close()` gives up after 5 s. */
const CLOSE_MS = 6_500;

type Act = (world: SocketCluster, pattern: RequestPattern, random: Random) => unknown;

function later(act: () => unknown, ms: number): void {
  setTimeout(() => void act(), ms).unref();
}

const faults: readonly Act[] = [
  ({ api }, match, random) => api.faults.dropBefore({ match, times: 1 + random(4) }),
  ({ api }, _, random) => api.faults.dropAfterCommit({ times: 1 + random(3) }),
  ({ api }, match, random) =>
    api.faults.delay({ match, requestMs: random(400), responseMs: random(700), times: 4 }),
  ({ api }, match) => api.faults.status({ match, code: 500, times: 3 }),
  ({ api }, match) => api.faults.status({ match, code: 429, retryAfterSeconds: 1, times: 1 }),
  ({ api }, match, random) => api.faults.hang({ match, times: 1 + random(2) }),
  ({ api }, _, random) => api.faults.commitLate({ afterMs: random(1_500), times: 1 }),
  ({ api }, _, random) => {
    const stall = api.faults.stallWatch();
    later(() => stall.resume(random(2) === 0 ? 'queued' : 'nothing'), random(1_500));
  },
  ({ api }) => api.faults.closeWatches(),
  ({ api }) => api.faults.resetWatches(),
  ({ api }) => api.faults.expireWatches(),
  ({ api }, _, random) => {
    api.pause();
    later(() => api.resume(), random(800));
  },
];

/** One world, its candidates, and what chance does to them. */
class Story {
  readonly history = new History(quickBeliefMs, DRAIN_TIMEOUT_MS);
  readonly #world: SocketCluster;
  readonly #actors: Actor[] = [];
  readonly #random: Random;
  readonly #hasOutsiders: boolean;
  /** The user who is cut off. */
  #absent: string | null = null;
  #wasCut = false;

  constructor(world: SocketCluster, seed: number, hasOutsiders: boolean) {
    this.#world = world;
    this.#hasOutsiders = hasOutsiders;
    const next = generator(seed);
    this.#random = (limit) => Math.floor(next() * limit);
    for (const user of ['a', 'b', 'c']) {
      const client = world.client({ kubeConfig: world.api.kubeConfigFor({ user }) });
      // Two of the last one's process.
      for (const name of user === 'c' ? ['c', 'd'] : [user]) {
        const options = { ...quick, client, drainTimeoutMs: DRAIN_TIMEOUT_MS };
        const who = [`${seed}-${name}`, user] as const;
        this.#actors.push(new Actor(who, options, this.history, this.#random));
      }
    }
  }

  async tell(): Promise<void> {
    const looking = setInterval(() => this.history.look(), LOOK_EVERY_MS);
    try {
      for (const actor of this.#actors) actor.run();
      const end = performance.now() + STORY_MS;
      const cutAt = end - STORY_MS + this.#random(1_500);
      while (performance.now() < end) {
        await sleep(20 + this.#random(180));
        if (performance.now() > cutAt && !this.#wasCut) this.#cutOff();
        await this.#act();
      }
      await this.#recover();
      await this.#finish();
    } finally {
      clearInterval(looking);
      this.history.end();
    }
  }

  async #act(): Promise<void> {
    // Who is cut off is left alone, so that its lease runs out.
    const actors = this.#actors.filter(({ user }) => user !== this.#absent);
    const leader = actors.find(({ election }) => election.isLeader());
    const anyone = actors[this.#random(actors.length)]!;
    const actor = this.#random(3) > 0 ? (leader ?? anyone) : anyone;
    const dice = this.#random(20);
    if (dice < 5) actor.stepDown();
    else if (dice < 8) actor.stop();
    else if (dice < 9) this.#refuse();
    else if (dice < 11 && this.#hasOutsiders) this.#meddle();
    else if (dice < 12) this.#annotate();
    else if (dice < 15) this.#fault();
    await this.#rerun();
  }

  async #rerun(): Promise<void> {
    for (const actor of this.#actors) if (!(await actor.isRunning())) actor.run();
  }

  #fault(): void {
    const index = this.#random(faults.length);
    const user = ['a', 'b', 'c', undefined][this.#random(4)];
    this.history.note(`fault ${index} for ${user ?? 'all'}`);
    faults[index]!(this.#world, { user }, this.#random);
  }

  /** One who leads is out of reach for longer than its lease lasts, and hears of nothing. */
  #cutOff(): void {
    const { api } = this.#world;
    const leader = this.#actors.find(({ election, isAsked }) => !isAsked && election.isLeader());
    if (leader === undefined) return;
    const { user } = leader;
    this.#wasCut = true;
    this.history.note(`${user} is cut off`);
    this.#absent = user;
    const cut = [
      api.faults.dropBefore({ match: { user } }),
      api.faults.stallWatch({ match: { user } }),
    ];
    later(() => {
      this.#absent = null;
      for (const one of cut) one.remove();
    }, CUT_OFF_MS);
  }

  #refuse(): void {
    const user = ['a', 'b', 'c'][this.#random(3)]!;
    const verb = (['get', 'update', 'watch'] as const)[this.#random(3)]!;
    this.history.note(`${user} must not ${verb}`);
    for (const actor of this.#actors) actor.mayBeRefused = true;
    const fault = this.#world.api.faults.forbid({ user, verb });
    later(() => fault.remove(), this.#random(1_200));
  }

  #meddle(): void {
    const { leases } = this.#world.api;
    if (leases.get('default', 'crown') === undefined) return;
    if (this.#random(2) === 0) {
      this.history.outsider('deletes');
      return leases.delete('default', 'crown');
    }
    const holderIdentity = this.#random(3) === 0 ? '' : 'stranger';
    this.history.outsider(`writes holder "${holderIdentity}"`);
    const time = new Date().toISOString().replace('Z', '000Z');
    leases.edit('default', 'crown', ({ spec }) => {
      const times = { acquireTime: time, renewTime: time };
      Object.assign(spec, { holderIdentity, leaseDurationSeconds: 1, ...times });
    });
  }

  /** Edits of others that take nothing from anybody. */
  #annotate(): void {
    const { leases } = this.#world.api;
    if (leases.get('default', 'crown') === undefined) return;
    leases.edit('default', 'crown', ({ metadata }) => {
      metadata.labels = { ...metadata.labels, touched: String(this.#random(1_000)) };
    });
  }

  /** When the faults have stopped, somebody leads in time. */
  async #recover(): Promise<void> {
    this.#world.api.faults.clear();
    this.#world.api.resume();
    this.history.note('faults end');
    const end = performance.now() + PROGRESS_MS;
    while (this.history.leaders.length === 0 && performance.now() < end) {
      await this.#rerun();
      await sleep(10);
    }
    if (this.history.leaders.length === 0) this.history.broken('nobody leads');
  }

  /** By whom and when the Lease was renewed last; `null` when it is vacant. */
  #renewal(): string | null {
    const { holderIdentity, renewTime } =
      this.#world.api.leases.get('default', 'crown')?.spec ?? {};
    if (holderIdentity == null || holderIdentity === '') return null;
    return `${holderIdentity} ${renewTime ?? ''}`;
  }

  /** Nothing is left when all have been asked to stop. */
  async #finish(): Promise<void> {
    const { api } = this.#world;
    for (const actor of this.#actors) actor.stop();
    const all = Promise.all(this.#actors.map((actor) => actor.ended()));
    const late = sleep(CLOSE_MS + DRAIN_TIMEOUT_MS, 'late', { ref: false });
    if ((await Promise.race([all, late])) === 'late') this.history.broken('run() does not end');
    this.history.close();
    // Some are still taking back what they had claimed; but nobody claims, and nobody renews.
    const times = [this.#renewal()];
    for (const ms of [300, quick.renewIntervalMs]) {
      await sleep(ms);
      times.push(this.#renewal());
    }
    if (times.some((time) => time !== null && time !== times[0])) {
      this.history.broken(`somebody goes on after the end of all: ${JSON.stringify(times)}`);
    }
    const startedAt = performance.now();
    await this.#world.closeClients();
    if (performance.now() - startedAt > CLOSE_MS) this.history.broken('close() takes too long');
    // What had left before may still be arriving.
    await sleep(100);
    api.requests.reset();
    await sleep(300);
    const { log } = api.requests;
    if (log.length > 0) this.history.broken(`requests after close(): ${JSON.stringify(log)}`);
  }
}

describe('elections under random faults', () => {
  const seeds = Array.from({ length: STORIES }, (_, index) => FIRST_SEED + index);
  process.stderr.write(`random elections: seeds ${seeds.join(', ')}\n`);

  it.concurrent.each(seeds)(
    'keep every promise (seed %d)',
    async (seed) => {
      await using world = await SocketCluster.start();
      const hasOutsiders = seed % 2 === 1;
      const story = new Story(world, seed, hasOutsiders);
      await story.tell();
      const { violations, told, terms } = story.history;
      if (violations.length > 0) {
        const [first] = violations;
        const place = told.findIndex((line) => line.includes(`!!! ${first ?? ''}`));
        const part = told.slice(Math.max(0, place - 60), place + 20).join('\n');
        throw new Error(`seed ${seed}: ${violations.slice(0, 10).join('; ')}\n${part}`);
      }
      process.stderr.write(`random elections: seed ${seed}, ${terms} terms\n`);
      // A story in which nobody leads tells nothing.
      expect(terms).toBeGreaterThan(0);
    },
    60_000,
  );
});
