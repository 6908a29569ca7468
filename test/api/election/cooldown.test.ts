import { expect, it } from '@jest/globals';
import { clientOn } from '../../../src/client.js';
import { systemClock, type Clock } from '../../../src/lease/clock.js';
import { LeaseHost } from '../../../src/lease/host.js';
import { connect } from '../../../src/lease/kube/connect.js';
import { candidate } from '../../support/candidate.js';
import { sleep, until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

/** The system's clock, and how long the timers are that have neither rung nor been called off. */
function watchedClock(): { readonly clock: Clock; readonly delays: () => number[] } {
  const open = new Map<object, number>();
  const after = (ms: number, callback: () => void): (() => void) => {
    const timer = {};
    open.set(timer, ms);
    const cancel = systemClock.after(ms, () => {
      open.delete(timer);
      callback();
    });
    return () => {
      open.delete(timer);
      cancel();
    };
  };
  return { clock: { ...systemClock, after }, delays: () => [...open.values()] };
}

it('stays out for the whole cooldown after its lease was let go, however long the drain took', async () => {
  await using world = await SocketCluster.start();
  const a = candidate(world, 'a', {
    onStartedLeading: async (leading) => {
      a.terms.push(leading);
      await until('the signal', () => leading.signal.aborted);
      await sleep(1_000);
    },
  });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 800 });
  const letGoAt = performance.now();
  await until('a leads again', () => a.terms.length === 2, 5_000);
  expect(performance.now() - letGoAt).toBeGreaterThan(700);
  a.stop.abort();
  await run;
});

it('stays out for the longer time that is asked for while it stays out already', async () => {
  await using world = await SocketCluster.start();
  const a = candidate(world, 'a');
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 300 });
  await sleep(100);
  await a.election.stepDown({ cooldownMs: 60_000 });
  await sleep(1_500);
  expect(a.terms).toHaveLength(1);
  a.stop.abort();
  await run;
});

it('asked by the work itself does not wait for the work', async () => {
  await using world = await SocketCluster.start();
  const asked: number[] = [];
  const a = candidate(world, 'a', {
    drainTimeoutMs: 20_000,
    onStartedLeading: async () => {
      const startedAt = performance.now();
      await a.election.stepDown({ cooldownMs: 60_000 });
      asked.push(performance.now() - startedAt);
    },
  });
  const run = a.run();
  await until('it was let go', () => world.holder('crown') === '' && asked.length > 0, 5_000);
  expect(asked[0]).toBeLessThan(1_000);
  expect(a.stopped).toEqual(['stepped-down']);
  a.stop.abort();
  await run;
});

it('is not counted any further once the run is over', async () => {
  await using world = await SocketCluster.start();
  const { clock, delays } = watchedClock();
  const warn = (): void => undefined;
  const { kubeConfig } = world.api;
  const ports = { clock, random: Math.random, warn };
  const host = new LeaseHost({
    ...ports,
    connect: () => connect({ kubeConfig, ...ports }),
  });
  const a = candidate(world, 'a', { client: clientOn(host, { identity: 'a' }) });
  const run = a.run();
  await until('a leads', () => a.election.isLeader());
  await a.election.stepDown({ cooldownMs: 61_000 });
  await until('it stays out', () => delays().includes(61_000));
  a.stop.abort();
  await run;
  expect(delays()).not.toContain(61_000);
  await host.close();
});
