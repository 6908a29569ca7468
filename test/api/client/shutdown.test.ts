// Signals end real processes, so it is real processes that are asked.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionError, shutdownSignal } from '@metaparticle/sync';
import { startLeaseServer, type LeaseServer } from '../../../src/testing/index.js';
import { Workshop } from '../../support/child.js';

let workshop: Workshop;
let api: LeaseServer;
beforeAll(async () => {
  workshop = await Workshop.open();
  api = await startLeaseServer();
});
afterAll(async () => {
  await workshop[Symbol.asyncDispose]();
  await api.close();
});

/** Leads; winds down for a while when it is asked to end. */
const service = (windDownMs: number): string => `
import { Election, shutdownSignal } from './sync/index.js';
const signal = shutdownSignal();
const election = new Election('service', {
  client,
  leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500,
  onStartedLeading: async ({ signal, fencingToken }) => {
    console.log('leads', Date.now());
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    await sleep(${windDownMs});
    console.log('wound down', Date.now());
  },
});
console.log('campaigns');
await election.run({ signal });
console.log('released', signal.reason.name, signal.reason.message);
`;

describe('shutdownSignal', () => {
  it('lets the work wind down, releases, and ends the process; the next one leads at once', async () => {
    const leader = await workshop.start(service(300), { api });
    await leader.said('leads');
    const next = await workshop.start(service(0), { api });
    await next.said('campaigns');
    const { code, stdout } = await leader.stop();
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toContain('released AbortError the process got SIGTERM');
    await next.said('leads');
    const timeOf = (text: string, word: string): number => {
      return Number(new RegExp(`${word} (\\d+)`).exec(text)?.[1]);
    };
    const tookMs = timeOf(next.stdout, 'leads') - timeOf(stdout, 'wound down');
    process.stderr.write(`shutdown: the next one led ${tookMs} ms after the work had wound down\n`);
    // A lease that was not released would have run out after 4 s.
    expect(tookMs).toBeLessThan(2_000);
    expect(await next.stop()).toMatchObject({ code: 0 });
  }, 60_000);

  it('ends the process at once by a second signal', async () => {
    const other = await workshop.start(service(60_000), { api });
    await other.said('leads');
    other.signal('SIGTERM');
    await sleep(200);
    expect(other.isAlive).toBe(true);
    other.signal('SIGINT');
    expect(await other.exited).toMatchObject({ code: 128 + 2 });
  }, 60_000);

  it('is one for all who ask for the same signals, whose order does not matter', () => {
    const one = shutdownSignal({ signals: ['SIGUSR2', 'SIGHUP'] });
    expect(shutdownSignal({ signals: ['SIGHUP', 'SIGUSR2'] })).toBe(one);
    expect(one.aborted).toBe(false);
    expect(process.listenerCount('SIGHUP')).toBe(1);
    process.removeAllListeners('SIGHUP').removeAllListeners('SIGUSR2');
  });

  it('refuses what is no signal', () => {
    for (const signals of [[], ['TERM'], 'SIGTERM', [15], ['SIGKILL'], ['SIGSTOP']]) {
      expect(() => shutdownSignal({ signals } as never)).toThrow(InvalidOptionError);
    }
    expect(() => shutdownSignal({ signal: 'SIGTERM' } as never)).toThrow('is not an option');
  });
});
