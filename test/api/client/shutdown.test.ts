// Signals end real processes, so it is real processes that are asked.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InvalidOptionError, shutdownSignal } from '@metaparticle/sync';
import { Workshop } from '../../support/child.js';
import { SocketCluster } from '../../support/cluster.js';

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** Leads; winds down for a while when it is asked to end. Its lease outlasts this test unless it is released. */
const service = (windDownMs: number): string => `
import { Election, shutdownSignal } from './sync/index.js';
const signal = shutdownSignal();
const election = new Election('service', {
  client,
  leaseDurationMs: 600_000, renewIntervalMs: 1_000,
  onStartedLeading: async ({ signal }) => {
    console.log('leads');
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    console.log('winds down');
    setTimeout(() => console.log('half a second later'), 600).unref();
    await sleep(${windDownMs});
    console.log('wound down');
  },
});
console.log('campaigns');
await election.run({ signal });
console.log('released', signal.reason.name, signal.reason.message);
`;

describe('shutdownSignal in a process that leads', () => {
  it('lets the work wind down, releases, and ends the process; the next one leads then', async () => {
    await using cluster = await SocketCluster.start();
    const leader = await workshop.start(service(300), { api: cluster.api });
    await leader.said('leads');
    const next = await workshop.start(service(0), { api: cluster.api });
    await next.said('campaigns');
    const { code, stdout } = await leader.stop();
    expect({ code, lines: stdout.trim().split('\n') }).toEqual({
      code: 0,
      lines: [
        'campaigns',
        'leads',
        'winds down',
        'wound down',
        'released AbortError the process got SIGTERM',
      ],
    });
    // A lease that was not released would run out after ten minutes.
    await next.said('leads');
    expect(await next.stop()).toMatchObject({ code: 0 });
    expect(cluster.holder('service')).toBe('');
  });

  it('ends it at once by a second signal that is no echo of the first', async () => {
    await using cluster = await SocketCluster.start();
    const leader = await workshop.start(service(600_000), { api: cluster.api });
    await leader.said('leads');
    leader.signal('SIGTERM');
    await leader.said('winds down');
    leader.signal('SIGTERM');
    // What comes within half a second is taken for the same request: see shutdown-echo.test.ts.
    await leader.said('half a second later');
    leader.signal('SIGINT');
    const { code, stdout } = await leader.exited;
    expect(code).toBe(128 + 2);
    expect(stdout).not.toContain('wound down');
    // It had no time to let go.
    expect(cluster.holder('service')).toBe('child');
  });
});

describe('shutdownSignal', () => {
  it('is one for all calls with the same signals, whose order does not matter', () => {
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
