// A kubeConfig that does not answer a question for credentials: a plugin that hangs, a metadata service that is away.
import { describe, expect, it } from '@jest/globals';
import { Lock } from '@metaparticle/sync';
import type { KubeConfigLike, LeaseClient } from '@metaparticle/sync';
import type { RequestOptions } from 'node:https';
import { Cluster } from '../../support/cluster.js';

/** A kubeConfig whose answers can be withheld. */
function plugin(cluster: Cluster) {
  const { kubeConfig } = cluster.api;
  const state = { lose: 0, asked: 0, fails: false };
  const apply = kubeConfig.applyToHTTPSOptions.bind(kubeConfig);
  const config: KubeConfigLike = Object.assign(Object.create(kubeConfig) as KubeConfigLike, {
    ...kubeConfig,
    applyToHTTPSOptions: async (options: RequestOptions): Promise<void> => {
      state.asked++;
      if (state.fails) throw new Error('the plugin failed');
      if (state.lose-- > 0) return new Promise(() => undefined);
      return apply(options);
    },
  });
  for (const key of Object.getOwnPropertySymbols(kubeConfig)) {
    Object.assign(config, { [key]: (kubeConfig as unknown as Record<symbol, unknown>)[key] });
  }
  return { state, config };
}

async function held(cluster: Cluster, client: LeaseClient, count: number) {
  const locks = Array.from({ length: count }, (_, n) => new Lock(`lock-${n}`, { client }));
  const handles = await Promise.all(locks.map((lock) => lock.acquire()));
  await cluster.advance(1_000);
  return handles;
}

describe('a question for credentials that is never answered', () => {
  it.each([1, Infinity])('costs no term and no watch, %d of them', async (lose) => {
    await using cluster = await Cluster.start();
    const { state, config } = plugin(cluster);
    const client = cluster.client({ kubeConfig: config });
    const handles = await held(cluster, client, 12);
    Object.assign(state, { lose, asked: 0 });
    cluster.api.requests.reset();
    // Watches that end now have to be opened again without an answer.
    cluster.api.faults.closeWatches();
    let least = Infinity;
    for (let ms = 0; ms < 60_000; ms += 100) {
      await cluster.advance(100);
      least = Math.min(least, ...handles.map((handle) => handle.remainingMs()));
    }
    expect(least).toBeGreaterThan(9_000);
    const { counts } = cluster.api.requests;
    expect(counts).toMatchObject({ get: 0, list: 0, watch: 1 });
    if (lose > 1) expect(state.asked).toBe(2);
    const elsewhere = new Lock('lock-0', {
      client: cluster.client({ identity: 'other' }),
    }).acquire();
    await cluster.advance(10);
    await handles[0]!.release();
    await cluster.settled(elsewhere);
    await client.close();
  });

  it('does not keep a term beyond a question that is answered with an error', async () => {
    await using cluster = await Cluster.start();
    const { state, config } = plugin(cluster);
    const [handle] = await held(cluster, cluster.client({ kubeConfig: config }), 1);
    state.fails = true;
    await cluster.advance(14_000);
    expect(handle!.isHeld()).toBe(false);
  });

  it('does not stand in the way of a first acquisition for longer than 5 s', async () => {
    await using cluster = await Cluster.start();
    const { state, config } = plugin(cluster);
    state.lose = 1;
    const lock = new Lock('job', { client: cluster.client({ kubeConfig: config }) });
    expect(await cluster.elapsed(lock.acquire())).toBeLessThan(5_500);
  });
});
