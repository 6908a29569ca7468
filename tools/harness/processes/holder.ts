// A process that takes, keeps and gives back locks when it is told to, and notes what happens to them.
import { subscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock, diagnosticsChannels } from '../../../src/index.js';
import type { EventMessage, LeaseOptions, LockHandle } from '../../../src/index.js';
import type { State } from '../../../src/lease/protocol/state.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface HolderSettings {
  readonly identity?: string;
  readonly options?: LeaseOptions;
  /** Calls `isHeld()` every few milliseconds. Otherwise nothing calls it, and `signal` is on its own. */
  readonly asks?: boolean;
}

/** What became of a lock. Times are those of `now()`. */
export interface Account {
  readonly token: bigint;
  /** Asked now. */
  readonly isHeld: boolean;
  /** `isHeld()` was asked at this time or a little later, and was true; `null` when it never was. */
  readonly trueAt: number | null;
  /** When `signal` was aborted. */
  readonly abortedAt: number | null;
  readonly reason: string | null;
  /** The latest that a timer came in this process since it holds anything, in milliseconds. */
  readonly latenessMs: number;
  /** Writes by the `renewTime` they carried, with the time at which they left; the latest only. */
  readonly sends: ReadonlyMap<number, number>;
}

export type HolderCalls = typeof calls;

const ASK_EVERY_MS = 5;
const LOOK_EVERY_MS = 5;
const REMEMBERED_SENDS = 50;

interface Held {
  readonly handle: LockHandle;
  trueAt: number | null;
  abortedAt: number | null;
}

const { identity, options = {}, asks = false } = settings() as HolderSettings;
const client = new LeaseClient(identity === undefined ? {} : { identity });
const held = new Map<string, Held>();
const sends = new Map<string, Map<number, number>>();
const loop = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS });

/** When a process that waits was last told that a lease is vacant. */
const heard = new Map<string, number>();
/** Leases that are held by another process, as far as one that waits for them knows. */
const waiting = new Set<string>();
/** How often it was told of a lease at all. */
const news = new Map<string, number>();
/** How many claims of this process met a newer version of the record. */
const claimsInVain = new Map<string, number>();

subscribe(diagnosticsChannels.event, (message) => {
  const { lease, event, before, verdict, detail } = message as EventMessage;
  const name = lease.slice(lease.indexOf('/') + 1);
  if (event === 'settled' && before === 'seeking' && verdict === 'conflict') {
    claimsInVain.set(name, (claimsInVain.get(name) ?? 0) + 1);
  }
  if (event === 'news') news.set(name, (news.get(name) ?? 0) + 1);
  if (event === 'news' && isVacant((detail as { readonly after: State }).after)) {
    heard.set(name, now());
  }
  const { after } = detail as { readonly after: State };
  if (isWaiting(after)) waiting.add(name);
  else waiting.delete(name);
  if (event !== 'sent') return;
  const { stamp } = (detail as { readonly event: { readonly stamp: number } }).event;
  const times = sends.get(name) ?? new Map<number, number>();
  sends.set(name, times.set(stamp, now()));
  const [oldest] = times.keys();
  if (times.size > REMEMBERED_SENDS && oldest !== undefined) times.delete(oldest);
});

function isVacant(state: State): boolean {
  const { kind } = state;
  return (
    kind === 'seeking' && state.sight.kind === 'present' && state.sight.lease.record.holder === ''
  );
}

/** It knows of the other holder, and a watch will tell of the end. */
function isWaiting(state: State): boolean {
  const isHeld = state.kind === 'seeking' && state.sight.kind === 'present' && !isVacant(state);
  return isHeld && state.watched;
}

function keep(name: string, handle: LockHandle): void {
  const entry: Held = { handle, trueAt: null, abortedAt: null };
  held.set(name, entry);
  handle.signal.addEventListener('abort', () => (entry.abortedAt = now()), { once: true });
  if (!asks) return;
  const ask = setInterval(() => {
    // Before the question: so whatever the scheduler does, it was true at this time.
    const askedAt = now();
    if (handle.isHeld()) entry.trueAt = askedAt;
    else clearInterval(ask);
  }, ASK_EVERY_MS);
}

function find(name: string): Held {
  const entry = held.get(name);
  if (entry === undefined) throw new Error(`${name} was not acquired here`);
  return entry;
}

const calls = {
  acquire: async (name: string): Promise<{ calledAt: number; at: number; token: bigint }> => {
    const calledAt = now();
    const handle = await new Lock(name, { client, ...options }).acquire();
    const at = now();
    keep(name, handle);
    if (held.size === 1) loop.enable();
    return { calledAt, at, token: handle.fencingToken };
  },

  release: async (name: string): Promise<{ calledAt: number; at: number; confirmed: boolean }> => {
    const { handle } = find(name);
    const calledAt = now();
    const confirmed = await handle.release();
    return { calledAt, at: now(), confirmed };
  },

  /** Resolves when this process waits, and knows that another one holds the lease. */
  waitsFor: async (name: string): Promise<void> => {
    while (!waiting.has(name)) await sleep(10);
  },

  /** Resolves when a process that waits has been told of a change of the record. */
  seesRenewal: async (name: string): Promise<void> => {
    const before = news.get(name) ?? 0;
    while ((news.get(name) ?? 0) === before) await sleep(10);
  },

  /** When the last write left, and when it was last heard to be vacant. */
  marks: (name: string): { sentAt: number; heardAt: number } => {
    const sentAt = [...(sends.get(name)?.values() ?? [])].at(-1) ?? NaN;
    return { sentAt, heardAt: heard.get(name) ?? NaN };
  },

  claimsInVain: (name: string): number => claimsInVain.get(name) ?? 0,

  /** Acquires and releases so many times. @returns how long each pair took */
  rounds: async ({ name, count }: { name: string; count: number }): Promise<number[]> => {
    const lock = new Lock(name, { client, ...options });
    const took: number[] = [];
    for (let round = 0; round < count; round++) {
      const begunAt = now();
      await (await lock.acquire()).release();
      took.push(now() - begunAt);
    }
    return took;
  },

  account: (name: string): Account => {
    const { handle, trueAt, abortedAt } = find(name);
    const reason = handle.loss?.reason ?? null;
    const times = sends.get(name) ?? new Map<number, number>();
    const { fencingToken: token } = handle;
    const latenessMs = loop.max / 1e6 - LOOK_EVERY_MS;
    return { token, isHeld: handle.isHeld(), trueAt, abortedAt, reason, latenessMs, sends: times };
  },
};

serve(calls);
