import type { SyncWarning } from '../../../../src/errors.js';
import type { Clock } from '../../../../src/lease/clock.js';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';
import { Endpoint } from '../../../../src/lease/kube/endpoint.js';
import type { HttpWire } from '../../../../src/lease/kube/http-wire.js';
import { simulationOf } from '../../../../src/lease/kube/simulation.js';
import { KubeLeaseWatch } from '../../../../src/lease/kube/watch.js';
import type { WatchOptions } from '../../../../src/lease/kube/watch.js';
import type { ManualLeaseServer } from '../../../../src/testing/index.js';
import { kubeConfigOf } from './kube-config.js';

type Chosen = Partial<Pick<WatchOptions, 'random' | 'refusedPauseMs'>>;

/** Watches over a wire. Chance is fixed at 0 unless it is given: no pause is longer than it must be. */
export function watchOver(
  wire: HttpWire,
  clock: Clock,
  chosen: Chosen = {},
  kubeConfig: KubeConfigLike = kubeConfigOf(),
): { readonly watch: KubeLeaseWatch; readonly warnings: SyncWarning[] } {
  const warnings: SyncWarning[] = [];
  const server = kubeConfig.getCurrentCluster()?.server ?? '';
  const watch = new KubeLeaseWatch({
    endpoint: new Endpoint(kubeConfig, server, clock),
    ...{ wire, clock, random: () => 0, ...chosen },
    warn: (warning) => warnings.push(warning),
  });
  return { watch, warnings };
}

/** Watches of the model server. */
export function watchOf(api: ManualLeaseServer, chosen: Chosen = {}) {
  const { kubeConfig } = api;
  const simulation = simulationOf(kubeConfig);
  if (simulation === undefined) throw new Error('no simulation');
  return watchOver(simulation.wire, simulation.clock, chosen, kubeConfig);
}
