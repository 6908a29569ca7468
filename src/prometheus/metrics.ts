import prom from 'prom-client';
import type { Registry } from 'prom-client';

const LEASE = ['namespace', 'name'] as const;
type LeaseLabel = (typeof LEASE)[number];

/** From a hand-off over a fast network to a takeover after a long lease. */
const WAITS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 300];
/** From a section of milliseconds to a leader of days. */
const HOLDS = [0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800];
const LATENCIES = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** In the last of them a renewal has its first attempt, as a rule; below the first one, its last. */
const VALIDITIES = [0.5, 1, 2, 3, 4, 6, 8, 10, 12, 15, 30, 60];

/** All that is told, in the registry that was given. */
export interface Metrics {
  readonly status: prom.Gauge<LeaseLabel>;
  readonly slowPath: prom.Counter<LeaseLabel>;
  readonly acquireWait: prom.Histogram<LeaseLabel>;
  readonly refusals: prom.Counter<LeaseLabel | 'code'>;
  readonly handOff: prom.Histogram<LeaseLabel>;
  readonly held: prom.Histogram<LeaseLabel>;
  readonly losses: prom.Counter<LeaseLabel | 'reason'>;
  readonly renewal: prom.Histogram<LeaseLabel>;
  readonly validity: prom.Histogram<LeaseLabel>;
  readonly conflicts: prom.Counter<LeaseLabel>;
  readonly watchBreaks: prom.Counter<LeaseLabel>;
  readonly unreachable: prom.Gauge<LeaseLabel>;
}

/** @throws what prom-client throws when a metric of that name is there already */
export function metricsIn(register: Registry): Metrics {
  const registers = [register];
  const histogram = (name: string, help: string, buckets: number[]) =>
    new prom.Histogram({ name, help, buckets, registers, labelNames: LEASE });
  const counter = (name: string, help: string) =>
    new prom.Counter({ name, help, registers, labelNames: LEASE });
  return {
    ...electorMetrics(registers),
    ...labelledCounters(registers),
    acquireWait: histogram(
      'metaparticle_sync_acquire_wait_seconds',
      'From the wish to hold a lease until it was acquired.',
      WAITS,
    ),
    handOff: histogram(
      'metaparticle_sync_hand_off_seconds',
      'From the moment a waiter learnt that the lease is vacant until it had acquired it.',
      WAITS,
    ),
    held: histogram('metaparticle_sync_held_seconds', 'How long a lease was held.', HOLDS),
    renewal: histogram(
      'metaparticle_sync_renewal_seconds',
      'From sending a renewal until its answer, for those that were accepted.',
      LATENCIES,
    ),
    validity: histogram(
      'metaparticle_sync_remaining_validity_seconds',
      'How long the lease would still have counted as held when a renewal was sent.',
      VALIDITIES,
    ),
    conflicts: counter(
      'metaparticle_sync_conflicts_total',
      'Writes that were refused since the Lease had changed meanwhile.',
    ),
    watchBreaks: counter(
      'metaparticle_sync_watch_interruptions_total',
      'How often somebody who holds or waits was left without a watch.',
    ),
    unreachable: outageGauge(registers),
  };
}

/** Under the names that client-go has for them, so that dashboards for its electors show ours as well. */
function electorMetrics(registers: Registry[]): Pick<Metrics, 'status' | 'slowPath'> {
  return {
    status: new prom.Gauge({
      name: 'leader_election_master_status',
      help: 'Whether this process holds the lease: 1 or 0.',
      ...{ registers, labelNames: LEASE },
    }),
    slowPath: new prom.Counter({
      name: 'leader_election_slowpath_total',
      help: 'How often a holder had to read the Lease before it could renew it.',
      ...{ registers, labelNames: LEASE },
    }),
  };
}

function outageGauge(registers: Registry[]): Metrics['unreachable'] {
  return new prom.Gauge({
    name: 'metaparticle_sync_api_unreachable',
    help: 'Whether the API server has given no usable answer about the lease for more than 5 s: 1 or 0.',
    ...{ registers, labelNames: LEASE },
  });
}

function labelledCounters(registers: Registry[]): Pick<Metrics, 'refusals' | 'losses'> {
  return {
    refusals: new prom.Counter({
      name: 'metaparticle_sync_refusals_total',
      help: 'Acquisitions that ended with an error, by its code.',
      ...{ registers, labelNames: [...LEASE, 'code'] as const },
    }),
    losses: new prom.Counter({
      name: 'metaparticle_sync_terms_lost_total',
      help: 'Terms that did not end by a release, by reason.',
      ...{ registers, labelNames: [...LEASE, 'reason'] as const },
    }),
  };
}
