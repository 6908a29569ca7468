// Processes whose clocks a test gets hold of: to stop their event loop, and to see which timers they have.
import type { LeaseClient } from '@metaparticle/sync';
import type { Clock } from '../../src/lease/clock.js';
import { simulationOf } from '../../src/lease/kube/simulation.js';
import type { Cluster } from './cluster.js';

const SIMULATION = Symbol.for('metaparticle.sync.simulation');

export interface Watched {
  readonly client: LeaseClient;
  /** The event loop is blocked, or the process stopped: its clocks go on by `ms`, and no timer of it fires meanwhile. */
  readonly stall: (ms: number) => void;
  /** How long the timers were set for that have neither fired nor been called off. */
  readonly timers: () => number[];
}

/** A process of its own in this cluster. */
export function watchedProcess(cluster: Cluster, identity: string): Watched {
  const kubeConfig = cluster.api.kubeConfigFor({ user: identity });
  const simulation = simulationOf(kubeConfig);
  if (simulation === undefined) throw new Error('a cluster on virtual time is needed');
  const { clock } = simulation;
  const open = new Map<object, number>();
  let stalledMs = 0;
  const watched: Clock = {
    now: () => {
      const { monotonic, elapsed, wall } = clock.now();
      return {
        ...{ monotonic: monotonic + stalledMs, elapsed: elapsed + stalledMs },
        wall: wall + stalledMs,
      };
    },
    monotonic: () => clock.monotonic() + stalledMs,
    after: (ms, callback) => {
      const timer = {};
      open.set(timer, ms);
      const cancel = clock.after(ms, () => {
        open.delete(timer);
        callback();
      });
      return () => {
        open.delete(timer);
        cancel();
      };
    },
    keepAlive: () => clock.keepAlive(),
  };
  Object.assign(kubeConfig, { [SIMULATION]: { ...simulation, clock: watched } });
  return {
    client: cluster.client({ identity, kubeConfig }),
    stall: (ms) => void (stalledMs += ms),
    timers: () => [...open.values()],
  };
}
