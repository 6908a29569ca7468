// Loading the configuration may take seconds on a slow processor. It is part of no time limit.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Lock } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';
import type { ManualLeaseServer } from '@metaparticle/sync/testing';
import { clientOn } from '../../../src/client.js';
import { LeaseHost } from '../../../src/lease/host.js';
import { connect } from '../../../src/lease/kube/connect.js';
import { simulationOf } from '../../../src/lease/kube/simulation.js';
import { rejection } from '../../support/promises.js';

const LOADING_MS = 20_000;

let api: ManualLeaseServer;
let lock: Lock;

beforeEach(async () => {
  api = await startLeaseServer({ clock: 'manual' });
  const simulation = simulationOf(api.kubeConfig);
  if (simulation === undefined) throw new Error('no simulation');
  const { clock, random } = simulation;
  const warn = (): void => undefined;
  const host = new LeaseHost({
    ...{ clock, random, warn },
    async connect() {
      await api.sleep(LOADING_MS);
      return connect({ kubeConfig: api.kubeConfig, clock, random, warn });
    },
  });
  lock = new Lock('a', { client: clientOn(host, { kubeConfig: api.kubeConfig }) });
});

afterEach(() => api.close());

function settled<T>(promise: Promise<T>): Promise<T> {
  return api.advanceUntil(promise, { limitMs: 2 * LOADING_MS });
}

describe('while the configuration is loaded', () => {
  it('the 5 s of tryAcquire have not begun', async () => {
    const handle = await settled(lock.tryAcquire());
    expect(handle?.isHeld()).toBe(true);
    expect(api.now).toBe(LOADING_MS);
  });

  it('nor has the time-out of acquire', async () => {
    const handle = await settled(lock.acquire({ timeoutMs: 1_000 }));
    expect(handle.isHeld()).toBe(true);
  });

  it('a signal ends the wait', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const stop = new AbortController();
    const waiting = rejection(lock.acquire({ signal: stop.signal }));
    await api.advance(1_000);
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await rejection(lock.tryAcquire({ signal }))).toBe(reason);
    expect(api.now).toBe(1_000);
  });
});

describe('once it is loaded', () => {
  beforeEach(() => void api.faults.hang());

  it('tryAcquire has 5 s', async () => {
    const error = await settled(rejection(lock.tryAcquire()));
    expect(error).toMatchObject({ code: 'ERR_API_UNREACHABLE' });
    expect(api.now).toBe(LOADING_MS + 5_000);
  });

  it('acquire has its time-out, and tells how long it waited for the lock', async () => {
    const error = await settled(rejection(lock.acquire({ timeoutMs: 1_000 })));
    expect(error).toMatchObject({ code: 'ERR_ACQUIRE_TIMEOUT', waitedMs: 1_000 });
    expect(api.now).toBe(LOADING_MS + 1_000);
  });
});
