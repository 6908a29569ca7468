// Faults of the network between a process and the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHead, RequestFault } from './request-fault.js';
import type { Proxy } from './proxy.js';
import type { Fault } from './fault.js';
import { survivedMs } from './nodes.js';
import type { NodeGroup } from './nodes.js';

const requests = ({ isWatch }: RequestHead): boolean => !isWatch;
const writes = ({ isWrite }: RequestHead): boolean => isWrite;

const short = (group: NodeGroup): number => survivedMs(group.options.timings);
const long = (group: NodeGroup): number => 1.5 * group.options.timings.leaseDurationMs;
const silence = (proxy: Proxy): (() => void) =>
  proxy.impose({ matches: () => true, fault: () => ({ do: 'silence' }) });

/** On the holder's path only; those of the other nodes are healthy. */
function ofHolder(
  what: string,
  lastsMs: (group: NodeGroup) => number,
  impose: (proxy: Proxy, group: NodeGroup) => () => void,
  { isFatal = false, quick = false } = {},
): Fault {
  return {
    name: what,
    quick,
    inject: async (group) => {
      const node = group.holderOf(group.kept);
      const lift = impose(node.proxy, group);
      await sleep(lastsMs(group)).finally(lift);
      return isFatal ? { nodes: [node.identity] } : {};
    },
  };
}

/** On the paths of all nodes, to a share of their requests. */
function ofAll(
  what: string,
  matches: (head: RequestHead) => boolean,
  share: number,
  fault: (group: NodeGroup) => RequestFault,
  { isFatal = true, quick = false } = {},
): Fault {
  return {
    name: what,
    quick,
    inject: async (group) => {
      const isHit = (head: RequestHead): boolean => matches(head) && group.options.random() < share;
      const lifts = group.nodes.map(({ proxy }) =>
        proxy.impose({ matches: isHit, fault: () => fault(group) }),
      );
      await sleep(long(group)).finally(() => {
        for (const lift of lifts) lift();
      });
      // What meets a fault may be the only renewal in time: a loss is no surprise, an overlap is.
      return { everything: isFatal, hindersTakeover: true };
    },
  };
}

export const networkFaults: readonly Fault[] = [
  ofHolder('Half-open, shorter than belief', short, (proxy) => proxy.halfOpen(), { quick: true }),
  ofHolder('Half-open, longer than the lease', long, (proxy) => proxy.halfOpen(), {
    isFatal: true,
  }),
  ofHolder('Requests unanswered, shorter than belief', short, silence),
  ofHolder('Requests unanswered, longer than the lease', long, silence, { isFatal: true }),
  ofHolder('Requests dropped before, shorter than belief', short, (proxy) =>
    proxy.impose({ matches: requests, fault: () => ({ do: 'drop' }) }),
  ),
  ofHolder(
    'Answers dropped after the commit, longer than the lease',
    long,
    (proxy) => proxy.impose({ matches: writes, fault: () => ({ do: 'swallow', then: 'silence' }) }),
    { isFatal: true, quick: true },
  ),
  ofHolder(
    'Writes commit late, after the client gave up',
    long,
    (proxy, group) => {
      const ms = (): number => group.between(0.7, 1.3) * group.options.timings.leaseDurationMs;
      return proxy.impose({ matches: writes, fault: () => ({ do: 'commit late', ms }) });
    },
    { isFatal: true, quick: true },
  ),
  ofHolder('Watch stalled', long, (proxy) => proxy.stallWatches(), { quick: true }),
  ofHolder('Throttled to 20 kB/s', long, (proxy) =>
    proxy.impose({ matches: requests, fault: () => ({ do: 'throttle', bytesPerSecond: 20_000 }) }),
  ),
  ofHolder('Connections cut again and again', long, (proxy) => {
    const timer = setInterval(() => proxy.cut(), 700);
    return () => clearInterval(timer);
  }),
  ofAll('Half of all writes dropped after the commit', writes, 0.5, (group) => ({
    do: 'swallow',
    then: group.options.random() < 0.5 ? 'break' : 'silence',
  })),
  ofAll('Half of all writes dropped before', writes, 0.5, () => ({ do: 'drop' })),
  ofAll('A third of all writes commits late', writes, 0.33, (group) => ({
    do: 'commit late',
    ms: () => group.between(0.2, 1.2) * group.options.timings.leaseDurationMs,
  })),
  ofAll(
    'All answers delayed by up to 400 ms',
    requests,
    1,
    (group) => ({ do: 'delay', ms: () => group.between(0, 400), where: 'back' }),
    { isFatal: false, quick: true },
  ),
  ofAll(
    'All requests delayed by up to 400 ms on their way there',
    requests,
    1,
    (group) => ({ do: 'delay', ms: () => group.between(0, 400), where: 'there' }),
    { isFatal: false },
  ),
];
