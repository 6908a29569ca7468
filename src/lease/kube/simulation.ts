import type { Clock } from '../clock.js';
import type { KubeConfigLike } from './config.js';
import type { HttpWire } from './http-wire.js';

/**
 * A world that a kubeConfig may bring along, for tests: an API server without sockets, and the clock that it and its
 * clients go by. `startLeaseServer({ clock: 'manual' })` makes one. By a key of the global registry, since `testing`
 * and the library share no code.
 */
export interface Simulation {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly wire: HttpWire;
}

const KEY = Symbol.for('metaparticle.sync.simulation');

export function simulationOf(kubeConfig: KubeConfigLike | undefined): Simulation | undefined {
  return (kubeConfig as { readonly [KEY]?: Simulation } | undefined)?.[KEY];
}
