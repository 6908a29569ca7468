// What the demo and its processes say to each other. Instants are those of `now()`.
import type { StopReason } from '@metaparticle/sync';

/** Where the API server is: an embedded one, or that of a context of a kubeconfig file. */
export type Api =
  | { readonly url: string; readonly token: string }
  | { readonly kubeConfigFile: string; readonly context: string };

/** What a process is started with. */
export interface Settings {
  /** Shown as the holder of the lease. */
  readonly identity: string;
  readonly api: Api;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly lease: string;
  /** Of the guarded store, for candidates. */
  readonly storeUrl: string;
  /** Of the counter, for workers. */
  readonly counterFile: string;
}

export type Command =
  | { readonly type: 'step-down' }
  | { readonly type: 'stop' }
  | { readonly type: 'work'; readonly rounds: number; readonly isLocked: boolean };

/** What a store answers to a write. */
export interface Answer {
  readonly isAccepted: boolean;
  /** Of the write. */
  readonly token: bigint;
  /** The greatest token that the store has seen, that of the write included. */
  readonly greatest: bigint;
}

/** A paused process looks around, first of all, when it goes on. */
export interface Woke {
  readonly type: 'woke';
  readonly at: number;
  readonly pausedMs: number;
  readonly isLeader: boolean;
  readonly isAborted: boolean;
  /** Requests that were made since the pause began. */
  readonly requests: number;
}

export type Report =
  | { readonly type: 'ready'; readonly at: number }
  /** `stepDown()` is being called. */
  | { readonly type: 'asked'; readonly at: number }
  | { readonly type: 'leads'; readonly at: number; readonly token: bigint }
  /** `ledAt`: the last time that `isLeader()`, asked every few milliseconds, said true. */
  | {
      readonly type: 'stopped';
      readonly at: number;
      readonly reason: StopReason;
      readonly ledAt: number;
    }
  | { readonly type: 'sees'; readonly at: number; readonly leader: string | null }
  /** A renewal was confirmed; it was sent at `at`. */
  | { readonly type: 'renewed'; readonly at: number }
  | { readonly type: 'prepares'; readonly at: number }
  | ({ readonly type: 'wrote'; readonly at: number } & Answer)
  | Woke
  /** A worker has added one. Without the lock there is no token. */
  | { readonly type: 'added'; readonly at: number; readonly token: bigint | null }
  | { readonly type: 'done'; readonly at: number }
  | { readonly type: 'warning'; readonly at: number; readonly message: string }
  | { readonly type: 'failed'; readonly at: number; readonly message: string };

export type ReportOf<T extends Report['type']> = Extract<Report, { readonly type: T }>;

/**
 * The lease of the demo: as short as it can be, so that nobody waits for long. These are the options of
 * every Lock and Election here; without them the lease lasts 15 s and is renewed every 2 s.
 */
export const timings = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 1_000 } as const;

/** Those that end the demo. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Milliseconds on the clock that all processes of a machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
