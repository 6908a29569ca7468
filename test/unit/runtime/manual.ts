import { Keeper } from '../../../src/lease/keeper.js';
import type { KeeperHooks } from '../../../src/lease/ports.js';
import type { Terms } from '../../../src/lease/protocol/state.js';
import type { Announcement, Change, Lease } from '../../../src/lease/record.js';
import type { SyncWarning } from '../../../src/errors.js';
import type {
  CreateOutcome,
  Decoration,
  DeleteOutcome,
  LeaseStore,
  LeaseWatch,
  Outcome,
  ReadOutcome,
  RequestOptions,
  WatchListener,
  WriteOutcome,
} from '../../../src/lease/store.js';
import { LeaseView } from '../../../src/lease/view.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { key } from '../../../tools/harness/protocol/fixtures.js';

/** All promise reactions that can run have run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A request that the keeper made and that waits for the test to answer it. */
export interface Call {
  readonly verb: 'read' | 'create' | 'write' | 'delete' | 'announce';
  readonly base: Lease | null;
  readonly change: Change | null;
  readonly decoration: Decoration | null;
  readonly options: RequestOptions;
  answer(outcome: Outcome): Promise<void>;
}

/** Answers nothing by itself. Requests leave at once, as `onSent` tells. */
export class ScriptedStore implements LeaseStore {
  readonly calls: Call[] = [];

  get last(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('no request was made');
    return call;
  }

  read(_key: unknown, options: RequestOptions): Promise<ReadOutcome> {
    return this.#ask('read', {}, options);
  }

  create(
    _key: unknown,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<CreateOutcome> {
    return this.#ask('create', { change, decoration }, options);
  }

  write(
    base: Lease,
    change: Change,
    decoration: Decoration,
    options: RequestOptions,
  ): Promise<WriteOutcome> {
    return this.#ask('write', { base, change, decoration }, options);
  }

  announce(
    base: Lease,
    _id: string,
    _announcement: Announcement | null,
    options: RequestOptions,
  ): Promise<WriteOutcome> {
    return this.#ask('announce', { base }, options);
  }

  delete(base: Lease, options: RequestOptions): Promise<DeleteOutcome> {
    return this.#ask('delete', { base }, options);
  }

  #ask<T extends Outcome>(
    verb: Call['verb'],
    what: Partial<Pick<Call, 'base' | 'change' | 'decoration'>>,
    options: RequestOptions,
  ): Promise<T> {
    const request = { base: null, change: null, decoration: null, ...what };
    return new Promise((resolve) => {
      const answer = (outcome: Outcome): Promise<void> => {
        resolve(outcome as T);
        return settled();
      };
      this.calls.push({ verb, ...request, options, answer });
      options.onSent?.();
    });
  }
}

export class ScriptedWatch implements LeaseWatch {
  listener: WatchListener | null = null;
  suspected = 0;

  subscribe(_key: unknown, _from: bigint | null, listener: WatchListener) {
    this.listener = listener;
    return {
      suspect: () => {
        this.suspected += 1;
      },
      close: () => {
        this.listener = null;
      },
    };
  }
}

export const decoration = { labels: { app: 'x' }, annotations: {}, ownerReferences: [] };

export function hooksTelling(told: string[]): KeeperHooks {
  return {
    acquired: () => told.push('acquired'),
    failed: (error) => told.push(`failed ${error.code}`),
    busy: (lease) => told.push(`busy ${lease?.record.holder ?? 'nothing'}`),
    ended: () => told.push('ended'),
  };
}

/** A keeper with everything around it under the test's thumb. */
export function stage(terms: Terms) {
  const clock = new ManualClock();
  const store = new ScriptedStore();
  const watch = new ScriptedWatch();
  const warnings: SyncWarning[] = [];
  const told: string[] = [];
  const view = new LeaseView(key, { watch, clock, random: () => 0.5 }, () => told.push('idle'));
  const hooks = hooksTelling(told);
  const ports = { clock, store, view, decoration, warn: (one: SyncWarning) => warnings.push(one) };
  const keeper = new Keeper(ports, terms, hooks);
  return { clock, store, watch, view, warnings, told, keeper };
}
