// Faults of the way between a process and the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked, Fate } from './fate.js';
import type { Proxy } from './proxy.js';
import type { Scenario } from './scenario.js';
import { survivedMs } from './troupe.js';
import type { Troupe } from './troupe.js';

const requests = ({ isWatch }: Asked): boolean => !isWatch;
const writes = ({ isWrite }: Asked): boolean => isWrite;

const short = (troupe: Troupe): number => survivedMs(troupe.options.timings);
const long = (troupe: Troupe): number => 1.5 * troupe.options.timings.leaseDurationMs;
const silence = (proxy: Proxy): (() => void) =>
  proxy.impose({ of: () => true, fate: () => ({ do: 'silence' }) });

/** On the holder's path only; everybody else's is healthy. */
function ofHolder(
  what: string,
  lastsMs: (troupe: Troupe) => number,
  impose: (proxy: Proxy, troupe: Troupe) => () => void,
  { isFatal = false, quick = false } = {},
): Scenario {
  return {
    name: what,
    quick,
    inject: async (troupe) => {
      const member = troupe.holderOf(troupe.kept);
      const lift = impose(member.proxy, troupe);
      await sleep(lastsMs(troupe)).finally(lift);
      return isFatal ? { members: [member.identity] } : {};
    },
  };
}

/** On everybody's path, to a share of what they ask. */
function ofAll(
  what: string,
  of: (asked: Asked) => boolean,
  share: number,
  fate: (troupe: Troupe) => Fate,
  { isFatal = true, quick = false } = {},
): Scenario {
  return {
    name: what,
    quick,
    inject: async (troupe) => {
      const isHit = (asked: Asked): boolean => of(asked) && troupe.options.random() < share;
      const lifts = troupe.members.map(({ proxy }) =>
        proxy.impose({ of: isHit, fate: () => fate(troupe) }),
      );
      await sleep(long(troupe)).finally(() => {
        for (const lift of lifts) lift();
      });
      // What meets a fault may be the only renewal in time: a loss is no surprise, an overlap is.
      return { everything: isFatal, hindersTakeover: true };
    },
  };
}

export const pathFaults: readonly Scenario[] = [
  ofHolder('Half-open, shorter than belief', short, (proxy) => proxy.halfOpen(), { quick: true }),
  ofHolder('Half-open, longer than the lease', long, (proxy) => proxy.halfOpen(), {
    isFatal: true,
  }),
  ofHolder('Requests unanswered, shorter than belief', short, silence),
  ofHolder('Requests unanswered, longer than the lease', long, silence, { isFatal: true }),
  ofHolder('Requests dropped before, shorter than belief', short, (proxy) =>
    proxy.impose({ of: requests, fate: () => ({ do: 'drop' }) }),
  ),
  ofHolder(
    'Answers dropped after the commit, longer than the lease',
    long,
    (proxy) => proxy.impose({ of: writes, fate: () => ({ do: 'swallow', then: 'silence' }) }),
    { isFatal: true, quick: true },
  ),
  ofHolder(
    'Writes commit late, after the client gave up',
    long,
    (proxy, troupe) => {
      const ms = (): number => troupe.between(0.7, 1.3) * troupe.options.timings.leaseDurationMs;
      return proxy.impose({ of: writes, fate: () => ({ do: 'commit late', ms }) });
    },
    { isFatal: true, quick: true },
  ),
  ofHolder('Watch stalled', long, (proxy) => proxy.stallWatches(), { quick: true }),
  ofHolder('Throttled to 20 kB/s', long, (proxy) =>
    proxy.impose({ of: requests, fate: () => ({ do: 'throttle', bytesPerSecond: 20_000 }) }),
  ),
  ofHolder('Connections cut again and again', long, (proxy) => {
    const timer = setInterval(() => proxy.cut(), 700);
    return () => clearInterval(timer);
  }),
  ofAll('Half of all writes dropped after the commit', writes, 0.5, (troupe) => ({
    do: 'swallow',
    then: troupe.options.random() < 0.5 ? 'break' : 'silence',
  })),
  ofAll('Half of all writes dropped before', writes, 0.5, () => ({ do: 'drop' })),
  ofAll('A third of all writes commits late', writes, 0.33, (troupe) => ({
    do: 'commit late',
    ms: () => troupe.between(0.2, 1.2) * troupe.options.timings.leaseDurationMs,
  })),
  ofAll(
    'All answers delayed by up to 400 ms',
    requests,
    1,
    (troupe) => ({ do: 'delay', ms: () => troupe.between(0, 400), where: 'back' }),
    { isFatal: false, quick: true },
  ),
  ofAll(
    'All requests delayed by up to 400 ms on their way there',
    requests,
    1,
    (troupe) => ({ do: 'delay', ms: () => troupe.between(0, 400), where: 'there' }),
    { isFatal: false },
  ),
];
