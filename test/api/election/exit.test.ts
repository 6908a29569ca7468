// When a process that takes part in an election ends by itself, and when it does not: real processes, over sockets.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Workshop } from '../../support/child.js';
import { until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop[Symbol.asyncDispose]());

/**
 * What would keep a process that should end lives this long at least: a watch without listeners lingers for 30 s, and
 * each pause or drain below is longer still.
 */
const LINGERS_MS = 20_000;

const prelude = `
import { Election } from './sync/index.js';
const stop = new AbortController();
const candidate = (onStartedLeading, over) =>
  new Election('crown', { client, ...quick, onStartedLeading, ...over });
const leads = async (election) => { while (!election.isLeader()) await sleep(5); };
`;

describe('a process that takes part in an election', () => {
  it.concurrent.each([
    [
      'after run(), without close(), though it is to stay out for long',
      `const election = candidate(() => undefined);
       const running = election.run({ signal: stop.signal });
       await leads(election);
       await election.stepDown({ cooldownMs: 600_000 });
       stop.abort();
       await running;`,
    ],
    [
      'after a drain that took too long, though its work does not end',
      `const election = candidate(() => new Promise(() => undefined), { drainTimeoutMs: 200 });
       const running = election.run({ signal: stop.signal });
       await leads(election);
       stop.abort();
       await running;`,
    ],
    [
      'after close(), with one that leads, one that waits and one that observes',
      `const [one, other] = [candidate(() => undefined), candidate(() => undefined)];
       const runs = [one.run(), other.run()].map((run) => run.catch(() => undefined));
       await leads(one);
       const look = other.observe();
       await look.next();
       const looking = look.next().catch(() => undefined);
       await client.close();
       await Promise.all([...runs, looking]);`,
    ],
    [
      'after work that failed',
      `const election = candidate(() => Promise.reject(new Error('mine')));
       await election.run().catch(() => undefined);`,
    ],
    [
      'while it leads, if it is not to be kept alive by that',
      `const election = candidate(() => undefined, { keepProcessAlive: false });
       void election.run();
       await leads(election);`,
    ],
  ])('ends by itself %s', async (_, script) => {
    await using cluster = await SocketCluster.start();
    const lingering = `setTimeout(() => console.log('lingers'), ${LINGERS_MS}).unref();`;
    const child = await workshop.start(`${prelude}${script}\nconsole.log('done');\n${lingering}`, {
      api: cluster.api,
    });
    const exit = await child.exited;
    expect(exit).toEqual({ code: 0, signal: null, stdout: 'done\n', stderr: '' });
  });

  // Each of the timers of the library lets a process end: what one of them brings shows that something else does not.
  it.concurrent.each<[what: string, isOccupied: boolean, work: string, updates: number]>([
    ['leads: it renews', false, 'undefined', 3],
    ['waits for its turn: it takes over what runs out', true, 'undefined', 1],
    ['winds down: it renews', false, `{ stop.abort(); return new Promise(() => undefined); }`, 3],
  ])('stays alive while it %s', async (_, isOccupied, work, updates) => {
    await using cluster = await SocketCluster.start();
    if (isOccupied) cluster.occupy('crown', { leaseDurationSeconds: 2 });
    const script = `void candidate(() => ${work}).run({ signal: stop.signal });`;
    const child = await workshop.start(`${prelude}${script}`, { api: cluster.api });
    const hasDone = (): boolean => {
      const isHeld = cluster.holder('crown') === 'child';
      return isHeld && cluster.api.requests.count({ verb: 'update' }) >= updates;
    };
    await until('the updates', () => hasDone() || !child.isAlive, 40_000);
    expect(child.isAlive).toBe(true);
    await child.kill();
  });
});
