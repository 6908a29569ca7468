// Faults of the processes that hold leases.
import type { Scenario } from './scenario.js';
import type { Troupe } from './troupe.js';

const name = (n: number): string => `${n} × lease`;

function paused(share: number): Scenario {
  return {
    name: `SIGSTOP of a holder, ${name(share)}`,
    quick: share === 1.3,
    inject: async (troupe) => {
      const member = troupe.holderOf(troupe.kept);
      await member.pause(share * troupe.options.timings.leaseDurationMs);
      return { members: [member.identity] };
    },
  };
}

export const processFaults: readonly Scenario[] = [
  ...[0.5, 1.3, 3].map(paused),
  {
    name: 'SIGKILL of a holder',
    quick: true,
    inject: async (troupe) => {
      const member = troupe.holderOf(troupe.led);
      const { identity } = member;
      await member.killAndReplace(troupe.between(100, 2_000));
      return { members: [identity] };
    },
  },
  {
    name: 'SIGSTOP of everybody, one after the other',
    inject: async (troupe: Troupe) => {
      const { leaseDurationMs } = troupe.options.timings;
      const all = troupe.members.map(async (member) => {
        await member.pause(troupe.between(0.5, 1.5) * leaseDurationMs);
        return member.identity;
      });
      return { members: await Promise.all(all), hindersTakeover: true };
    },
  },
  {
    name: 'Event loop blocked for 2 × lease',
    quick: true,
    inject: async (troupe) => {
      const member = troupe.holderOf(troupe.kept);
      await member.block(2 * troupe.options.timings.leaseDurationMs);
      return { members: [member.identity] };
    },
  },
  {
    name: 'Leader steps down',
    inject: async (troupe) => {
      await troupe.holderOf(troupe.led).stepDown(troupe.led.split('/')[1] ?? '');
      return {};
    },
  },
];
