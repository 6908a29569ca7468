// Faults of the processes that hold leases.
import type { Fault } from './fault.js';
import { survivedMs } from './nodes.js';
import type { NodeGroup } from './nodes.js';

function paused(share: number): Fault {
  return {
    name: `SIGSTOP of a holder, ${share} × lease`,
    quick: share === 1.3,
    inject: async (group) => {
      const { timings } = group.options;
      const node = group.holderOf(group.kept);
      const ms = share * timings.leaseDurationMs;
      await node.pause(ms);
      return ms < survivedMs(timings) ? {} : { nodes: [node.identity] };
    },
  };
}

function killed(what: string, lease: (group: NodeGroup) => string, quick = false): Fault {
  return {
    name: `SIGKILL of ${what}`,
    quick,
    inject: async (group) => {
      const node = group.holderOf(lease(group));
      const { identity } = node;
      await node.killAndReplace(group.between(100, 2_000));
      return { nodes: [identity] };
    },
  };
}

export const processFaults: readonly Fault[] = [
  ...[0.5, 1.3, 3].map(paused),
  killed('a leader', ({ led }) => led, true),
  killed('a lock’s holder', ({ kept }) => kept),
  {
    name: 'SIGKILL of all but one',
    inject: async (group) => {
      const [, ...others] = group.shuffled();
      const identities = others.map(({ identity }) => identity);
      await Promise.all(others.map((node) => node.killAndReplace(group.between(100, 2_000))));
      return { nodes: identities };
    },
  },
  {
    name: 'SIGSTOP of all nodes, one after the other',
    inject: async (group) => {
      const { leaseDurationMs } = group.options.timings;
      const all = group.nodes.map(async (node) => {
        await node.pause(group.between(0.5, 1.5) * leaseDurationMs);
        return node.identity;
      });
      return { nodes: await Promise.all(all), hindersTakeover: true };
    },
  },
  {
    name: 'Event loop blocked for 2 × lease',
    quick: true,
    inject: async (group) => {
      const node = group.holderOf(group.kept);
      await node.block(2 * group.options.timings.leaseDurationMs);
      return { nodes: [node.identity] };
    },
  },
  {
    name: 'Leader steps down',
    inject: async (group) => {
      await group.holderOf(group.led).stepDown(group.led.split('/')[1] ?? '');
      return {};
    },
  },
];
