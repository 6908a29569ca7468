// Faults of the API servers and of etcd.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../../tools/harness/processes/time.js';
import type { Justified, Servers, ServerFault } from './fault.js';
import { survivedMs } from './nodes.js';
import type { Node, NodeGroup } from './nodes.js';

const ALL: Justified = { everything: true, hindersTakeover: true, isOutage: true };
/** No term may end, but no other process can take over meanwhile. */
const NONE: Justified = { hindersTakeover: true, isOutage: true };
/** Takeovers are not hindered either: the other server answers. */
const HALF: Justified = { isOutage: true };
/** What is over with a signal still takes the servers a little to get over. */
const RECOVERY_MS = 300;

type Extent = (group: NodeGroup) => number;
const short: Extent = ({ options }) => survivedMs(options.timings) - RECOVERY_MS;
const long: Extent = ({ options }) => 1.3 * options.timings.leaseDurationMs;

/** Those whose path leads to one of the servers. */
function nodesOn(group: NodeGroup, server: string): Node[] {
  const { servers } = group.options;
  return group.nodes.filter((_, n) => servers[n % servers.length] === server);
}

/** Their terms may end, others' may not. */
function justifiedOn(group: NodeGroup, server: string): Justified {
  return { ...HALF, nodes: nodesOn(group, server).map(({ identity }) => identity) };
}

interface Frozen {
  readonly pause: () => void;
  readonly resume: () => void;
}

const both = ({ plane, second }: Servers): Frozen[] => [
  { pause: () => plane.pause(), resume: () => plane.resume() },
  second,
];
const etcd = ({ plane }: Servers): Frozen[] => [
  { pause: () => plane.pause('etcd'), resume: () => plane.resume('etcd') },
];
const one = ({ second }: Servers): Frozen[] => [second];

function frozen(
  what: string,
  which: (servers: Servers) => Frozen[],
  extent: Extent,
  justified: (group: NodeGroup, servers: Servers) => Justified,
  quick = false,
): ServerFault {
  const howLong = extent === short ? 'shorter than belief' : 'longer than the lease';
  return {
    name: `${what} frozen, ${howLong}`,
    quick,
    isLong: extent === long,
    inject: async (group, servers) => {
      const programs = which(servers);
      try {
        for (const program of programs) program.pause();
        await sleep(extent(group));
      } finally {
        for (const program of programs) program.resume();
      }
      return justified(group, servers);
    },
  };
}

/** Down for as long as the restart takes: what that justifies depends on it. */
function restarted(
  what: string,
  restart: (servers: Servers) => Promise<unknown>,
  justified: (group: NodeGroup, servers: Servers) => Justified,
): ServerFault {
  return {
    name: what,
    inject: async (group, servers) => {
      const from = now();
      await restart(servers);
      const isLong = now() - from > survivedMs(group.options.timings);
      return isLong ? justified(group, servers) : NONE;
    },
  };
}

export const serverFaults: readonly ServerFault[] = [
  frozen('Both API servers', both, short, () => NONE, true),
  frozen('Both API servers', both, long, () => ALL),
  frozen('etcd', etcd, short, () => NONE),
  frozen('etcd', etcd, long, () => ALL),
  frozen('One of two API servers', one, short, () => HALF),
  frozen('One of two API servers', one, long, (group, { second }) =>
    justifiedOn(group, second.server),
  ),
  restarted(
    'etcd killed and restarted',
    ({ plane }) => plane.restart('etcd'),
    () => ALL,
  ),
  restarted(
    'One of two API servers killed and restarted',
    ({ plane }) => plane.restart('apiserver'),
    (group, { plane }) => justifiedOn(group, plane.server),
  ),
  restarted(
    'Both API servers killed and restarted',
    async ({ plane, second }) => {
      await second.end();
      await Promise.all([plane.restart('apiserver'), second.start()]);
    },
    () => ALL,
  ),
  {
    name: 'One of two API servers killed for longer than the lease, its clients moved to the other',
    isLong: true,
    inject: async (group, { plane, second }) => {
      const moved = nodesOn(group, second.server);
      try {
        await second.end();
        for (const { proxy } of moved) proxy.route(plane.server);
        await sleep(long(group));
      } finally {
        await second.start();
        for (const { proxy } of moved) proxy.route(second.server);
      }
      return HALF;
    },
  },
  {
    name: 'One of two API servers lags behind etcd',
    isLong: true,
    inject: async (group, { pipe }) => {
      try {
        pipe.delayMs = 300;
        await sleep(long(group));
      } finally {
        pipe.delayMs = 0;
      }
      return NONE;
    },
  },
];

/** Ends what a failed fault left behind. */
export async function healServers({ plane, second, pipe }: Servers): Promise<void> {
  pipe.delayMs = 0;
  plane.resume('etcd');
  plane.resume('apiserver');
  second.resume();
  await plane.revive();
  await second.revive();
}
