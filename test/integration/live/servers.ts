// Faults of the API servers and of etcd.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerScenario } from './scenario.js';
import { survivedMs } from './troupe.js';
import type { Troupe } from './troupe.js';

const ALL = { everything: true, hindersTakeover: true } as const;
const short = ({ options }: Troupe): number => survivedMs(options.timings);

/** Of those whose path leads to one of the servers: their terms may end, others' may not. */
function membersOn(troupe: Troupe, server: string): string[] {
  const { servers } = troupe.options;
  const on = (n: number): string => servers[n % servers.length] ?? '';
  return troupe.members.filter((_, n) => on(n) === server).map(({ identity }) => identity);
}

export const serverFaults: readonly ServerScenario[] = [
  {
    name: 'Both API servers frozen, shorter than belief',
    quick: true,
    inject: async (troupe, { plane, second }) => {
      plane.pause();
      second.pause();
      await sleep(short(troupe));
      plane.resume();
      second.resume();
      return { hindersTakeover: true };
    },
  },
  {
    name: 'Both API servers frozen, longer than the lease',
    inject: async (troupe, { plane, second }) => {
      plane.pause();
      second.pause();
      await sleep(1.3 * troupe.options.timings.leaseDurationMs);
      plane.resume();
      second.resume();
      return ALL;
    },
  },
  {
    name: 'etcd frozen, shorter than belief',
    inject: async (troupe, { plane }) => {
      plane.pause('etcd');
      await sleep(short(troupe));
      plane.resume('etcd');
      return { hindersTakeover: true };
    },
  },
  {
    name: 'etcd killed and restarted',
    inject: async (_, { plane }) => {
      await plane.restart('etcd');
      // Down for as long as it takes: nobody promised that to be short.
      return ALL;
    },
  },
  {
    name: 'API server killed and restarted, another one stays',
    inject: async (troupe, { plane }) => {
      await plane.restart('apiserver');
      return { members: membersOn(troupe, plane.server), hindersTakeover: true };
    },
  },
  {
    name: 'One API server frozen, shorter than belief',
    quick: true,
    inject: async (troupe, { second }) => {
      second.pause();
      await sleep(short(troupe));
      second.resume();
      return {};
    },
  },
  {
    name: 'One API server frozen, longer than the lease',
    inject: async (troupe, { second }) => {
      second.pause();
      await sleep(1.5 * troupe.options.timings.leaseDurationMs);
      second.resume();
      return { members: membersOn(troupe, second.server), hindersTakeover: true };
    },
  },
  {
    name: 'One API server lags behind etcd',
    quick: true,
    inject: async (troupe, { second, pipe }) => {
      pipe.delayMs = 300;
      await sleep(1.5 * troupe.options.timings.leaseDurationMs);
      pipe.delayMs = 0;
      return { members: membersOn(troupe, second.server), hindersTakeover: true };
    },
  },
];
