// A process in which several wait for one lock at a time, hold it for a moment, and want it again.
import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock, diagnosticsChannels, type StepMessage } from '../../../src/index.js';
import { serve, settings } from './serve.js';
import { now } from './time.js';

export interface HerdSettings {
  readonly name: string;
  readonly waiters: number;
  readonly holdMs: number;
}

/** One hold; times are those of `now()`. */
export interface Hold {
  readonly token: bigint;
  readonly acquiredAt: number;
  readonly releasedAt: number;
}

export interface HerdReport {
  readonly holds: readonly Hold[];
  /** When a claim was written. */
  readonly claims: readonly number[];
}

export type HerdCalls = typeof calls;

const { name, waiters, holdMs } = settings() as HerdSettings;
const client = new LeaseClient();
const holds: Hold[] = [];
const claims: number[] = [];
const stop = new AbortController();
let all: Promise<unknown> = Promise.resolve();

subscribe(diagnosticsChannels.step, (message) => {
  if ((message as StepMessage).intent === 'claim') claims.push(now());
});

async function wait(): Promise<void> {
  const lock = new Lock(name, { client });
  while (!stop.signal.aborted) {
    const handle = await lock.acquire({ signal: stop.signal }).catch(() => null);
    if (handle === null) return;
    const acquiredAt = now();
    await sleep(holdMs);
    const releasedAt = now();
    holds.push({ token: handle.fencingToken, acquiredAt, releasedAt });
    await handle.release();
  }
}

const calls = {
  start: (): void => {
    all = Promise.all(Array.from({ length: waiters }, wait));
  },
  count: (): number => holds.length,
  stop: async (): Promise<HerdReport> => {
    stop.abort();
    await all;
    return { holds, claims };
  },
};

serve(calls);
