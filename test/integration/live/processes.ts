// Faults of the processes that hold leases.
import type { Scenario } from './scenario.js';
import { survivedMs } from './troupe.js';
import type { Troupe } from './troupe.js';

function paused(share: number): Scenario {
  return {
    name: `SIGSTOP of a holder, ${share} × lease`,
    quick: share === 1.3,
    inject: async (troupe) => {
      const { timings } = troupe.options;
      const member = troupe.holderOf(troupe.kept);
      const ms = share * timings.leaseDurationMs;
      await member.pause(ms);
      return ms < survivedMs(timings) ? {} : { members: [member.identity] };
    },
  };
}

function killed(what: string, lease: (troupe: Troupe) => string, quick = false): Scenario {
  return {
    name: `SIGKILL of ${what}`,
    quick,
    inject: async (troupe) => {
      const member = troupe.holderOf(lease(troupe));
      const { identity } = member;
      await member.killAndReplace(troupe.between(100, 2_000));
      return { members: [identity] };
    },
  };
}

export const processFaults: readonly Scenario[] = [
  ...[0.5, 1.3, 3].map(paused),
  killed('a leader', ({ led }) => led, true),
  killed('a lock’s holder', ({ kept }) => kept),
  {
    name: 'SIGKILL of all but one',
    inject: async (troupe) => {
      const [, ...others] = troupe.shuffled();
      const identities = others.map(({ identity }) => identity);
      await Promise.all(others.map((member) => member.killAndReplace(troupe.between(100, 2_000))));
      return { members: identities };
    },
  },
  {
    name: 'SIGSTOP of everybody, one after the other',
    inject: async (troupe) => {
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
