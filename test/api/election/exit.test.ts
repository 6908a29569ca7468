// When a process that takes part in an election ends by itself, and when it does not.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Workshop } from '../../support/child.js';
import { sleep } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop[Symbol.asyncDispose]());

const PROMPT_MS = 1_500;

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
      'after a drain that took too long, though its work never ends',
      `const election = candidate(() => new Promise(() => undefined), { drainTimeoutMs: 200 });
       const running = election.run({ signal: stop.signal });
       await leads(election);
       stop.abort();
       await running;`,
    ],
    [
      'after close(), with one that leads, one that waits and one who looks on',
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
    await using world = await SocketCluster.start();
    const child = await workshop.start(`${prelude}${script}\nconsole.log('done');`, {
      api: world.api,
    });
    await child.said('done');
    const saidAt = performance.now();
    const { code, signal, stderr } = await child.exited;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - saidAt).toBeLessThan(PROMPT_MS);
  });

  it.concurrent.each([
    ['leads', false, 'undefined'],
    ['waits for its turn', true, 'undefined'],
    ['winds down', false, `{ stop.abort(); return new Promise(() => undefined); }`],
  ])('stays alive while it %s', async (_, isOccupied, work) => {
    await using world = await SocketCluster.start();
    if (isOccupied) world.occupy('crown', { leaseDurationSeconds: 60 });
    const script = `
      void candidate(() => ${work}).run({ signal: stop.signal });
      console.log('runs');`;
    const child = await workshop.start(`${prelude}${script}`, { api: world.api });
    await child.said('runs');
    await sleep(3_000);
    expect(child.isAlive).toBe(true);
    await child.kill();
  });
});
