// A process that holds many locks, and tells what that costs it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readlinkSync, readdirSync } from 'node:fs';
import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  LeaseClient,
  Lock,
  diagnosticsChannels,
  type EventMessage,
  type LockHandle,
} from '../../src/index.js';
import { serve, settings } from '../../tools/harness/processes/serve.js';
import type { Event, State } from '../../src/lease/protocol/state.js';

export interface ManySettings {
  readonly locks: number;
  readonly leaseDurationMs: number;
  readonly renewIntervalMs: number;
}

export interface ManyReport {
  readonly lost: number;
  readonly renewals: number;
  /** Of this process while it held, milliseconds per renewal. */
  readonly cpuMs: number;
  readonly sockets: number;
  readonly memoryMiB: number;
  /** What is left of it on the heap when garbage was collected. */
  readonly heapMiB: number;
  /** Latest that a timer came, p99, milliseconds. */
  readonly delayMs: number;
  /** The greatest share of its belief that a renewal used up until it was sent. */
  readonly worstShare: number;
}

export type ManyCalls = typeof calls;

const { locks, leaseDurationMs, renewIntervalMs } = settings() as ManySettings;
const MARGIN_MS = 2_000;
const RESOLUTION_MS = 5;
const AT_ONCE = 20;
const client = new LeaseClient();
const handles: LockHandle[] = [];
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let renewals = 0;
let worstShare = 0;

subscribe(diagnosticsChannels.event, (message) => {
  const { event, before, after } = (message as EventMessage).detail as {
    readonly event: Event;
    readonly before: State;
    readonly after: State;
  };
  if (event.type !== 'sent' || before.kind !== 'holding' || after.kind !== 'holding') return;
  renewals++;
  const sentAt = after.writes.find(({ stamp }) => stamp === event.stamp)?.sentAt ?? 0;
  const leftMs = before.heldUntil - sentAt;
  worstShare = Math.max(worstShare, 1 - leftMs / (leaseDurationMs - MARGIN_MS));
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function memory(): { readonly rss: number; readonly heap: number } {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
}

function delayMs(): number {
  return loop.percentile(99) / 1e6 - RESOLUTION_MS;
}

function sockets(): number {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

let [memoryBefore, socketsBefore] = [memory(), 0];
let cpuBefore = process.cpuUsage();

const calls = {
  /** One acquired and released: the client and its connections are there. */
  warmUp: async (): Promise<{ delayMs: number }> => {
    socketsBefore = sockets();
    await (await new Lock('warm-up', { client }).acquire()).release();
    memoryBefore = memory();
    loop.enable();
    await sleep(2_000);
    loop.disable();
    return { delayMs: delayMs() };
  },

  acquireAll: async (): Promise<void> => {
    const names = Array.from({ length: locks }, (_, n) => `many-${n}`);
    const next = async (): Promise<void> => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const lock = new Lock(name, { client, leaseDurationMs, renewIntervalMs });
        handles.push(await lock.acquire());
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  },

  /** From here on it only holds. */
  begin: (): void => {
    renewals = 0;
    worstShare = 0;
    cpuBefore = process.cpuUsage();
    loop.reset();
    loop.enable();
  },

  end: (): ManyReport => {
    loop.disable();
    const { user, system } = process.cpuUsage(cpuBefore);
    const { rss, heap } = memory();
    return {
      lost: handles.filter((handle) => !handle.isHeld()).length,
      renewals,
      cpuMs: (user + system) / 1_000 / renewals,
      sockets: sockets() - socketsBefore,
      memoryMiB: rss - memoryBefore.rss,
      heapMiB: heap - memoryBefore.heap,
      delayMs: delayMs(),
      worstShare,
    };
  },

  release: async (): Promise<void> => {
    await client.close();
  },
};

serve(calls);
