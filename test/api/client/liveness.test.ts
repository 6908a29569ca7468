// When a process that uses the library ends by itself, and when it does not: real processes, on real sockets. What
// they are asked to show is an order of events; how fast they are says nothing here.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Workshop } from '../../support/child.js';
import type { Child } from '../../support/child.js';
import { until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** Generous: how long a busy machine may take. */
const LIMIT_MS = 240_000;

/**
 * Says what it is given, and complains where something keeps the process alive after that. The timer itself does
 * not; on a busy machine an idle process ends all the same before it is due.
 */
const ending = `
const ending = (...words) => {
  console.log(...words);
  setTimeout(() => console.log('and kept alive'), 3_000).unref();
};`;

/** Asserts that the child ends by itself, with these words as its last and without a complaint. */
async function endsWith(child: Child, words: string): Promise<void> {
  const { code, signal, stdout, stderr } = await child.exited;
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(stdout.trim().split('\n').at(-1)).toBe(words);
}

describe('a process ends by itself', () => {
  it.each([
    [
      'after all that can become of a lock',
      `const error = await lock('taken').acquire({ timeoutMs: 200 }).catch((error) => error);
       const stop = new AbortController();
       setTimeout(() => stop.abort('enough'), 200);
       const reason = await lock('taken').acquire({ signal: stop.signal }).catch((reason) => reason);
       const nothing = await lock('taken').tryAcquire();
       await lock('job').withLock(() => sleep(1));
       const handle = await lock('job').acquire();
       const isReleased = await handle.release();
       ending(error.code, reason, nothing, isReleased);`,
      'ERR_ACQUIRE_TIMEOUT enough null true',
    ],
    [
      'after many locks, waited for by one signal',
      `const { signal } = new AbortController();
       const names = Array.from({ length: 20 }, (_, index) => 'job-' + index);
       const handles = await Promise.all(names.map((name) => lock(name).acquire({ signal })));
       const released = await Promise.all(handles.map((handle) => handle.release()));
       ending(new Set(released));`,
      'Set(1) { true }',
    ],
    [
      'after close()',
      `await lock('job').acquire();
       lock('taken').acquire().catch(() => undefined);
       await sleep(200);
       await client.close();
       ending('closed');`,
      'closed',
    ],
    [
      'after a release, which is completed also where keepProcessAlive is off',
      `const anchor = setInterval(() => undefined, 1_000);
       const handle = await lock('job', { keepProcessAlive: false }).acquire();
       clearInterval(anchor);
       ending(await handle.release());`,
      'true',
    ],
  ])('%s', async (_, script, words) => {
    await using cluster = await SocketCluster.start();
    cluster.occupy('taken', { leaseDurationSeconds: 60 });
    const child = await workshop.start(ending + script, { api: cluster.api });
    await endsWith(child, words);
    const held = cluster.api.leases.list().filter(({ spec }) => spec.holderIdentity === 'child');
    expect(held).toEqual([]);
  });

  it('when the lock it holds is lost', async () => {
    await using cluster = await SocketCluster.start();
    const script = `
      const { signal } = await lock('job', { leaseDurationMs: 600_000 }).acquire();
      signal.addEventListener('abort', () => ending(signal.reason.reason));`;
    const child = await workshop.start(ending + script, { api: cluster.api });
    await until('a renewal', () => cluster.api.requests.counts.update >= 2, LIMIT_MS);
    cluster.api.leases.delete('default', 'job');
    await endsWith(child, 'deleted');
  });

  it('with the client that is shared where none is named', async () => {
    await using cluster = await SocketCluster.start();
    const KUBECONFIG = join(workshop.folder, 'kubeconfig');
    await writeFile(KUBECONFIG, cluster.api.kubeConfigYaml({ namespace: 'team' }));
    const script = `
      const handle = await new Lock('job').acquire();
      ending(handle.name, await handle.release());`;
    await endsWith(await workshop.start(ending + script, { env: { KUBECONFIG } }), 'team/job true');
  });

  it.each([
    ['holding', `lock('job', { keepProcessAlive: false }).acquire().then(ready);`],
    ['waiting', `lock('taken', { keepProcessAlive: false }).acquire(); ready();`],
  ])('while %s, when keepProcessAlive is off', async (kind, line) => {
    await using cluster = await SocketCluster.start();
    cluster.occupy('taken', { leaseDurationSeconds: 60 });
    // Something else has to keep it alive until the lock is there.
    const script = `
      const anchor = setInterval(() => undefined, 1_000);
      const ready = () => setTimeout(() => { clearInterval(anchor); ending('ready'); }, 300);
      ${line}`;
    await endsWith(await workshop.start(ending + script, { api: cluster.api }), 'ready');
    if (kind === 'holding') expect(cluster.holder('job')).toBe('child');
  });
});

describe('a process stays alive', () => {
  it('while it holds a lock, and goes on renewing', async () => {
    await using cluster = await SocketCluster.start();
    // A lease that no stall of this machine lets run out.
    const script = `await lock('job', { leaseDurationMs: 600_000 }).acquire();`;
    const child = await workshop.start(script, { api: cluster.api });
    // Creation apart, the claim and two renewals.
    await until('two renewals', () => cluster.api.requests.counts.update >= 3, LIMIT_MS);
    expect(child.isAlive).toBe(true);
    expect(cluster.holder('job')).toBe('child');
    await child.kill();
  });

  it('while it waits for one, and gets it', async () => {
    await using cluster = await SocketCluster.start();
    const held = await cluster.lock('job', { leaseDurationMs: 600_000 }).acquire();
    const script = `
      lock('job').acquire().then((handle) => handle.release()).then(() => ending('released'));`;
    const child = await workshop.start(ending + script, { api: cluster.api });
    const { requests } = cluster.api;
    await until('a watch of the child', () => requests.counts.watch >= 2, LIMIT_MS);
    const renewals = requests.counts.update;
    await until('two more renewals', () => requests.counts.update >= renewals + 2, LIMIT_MS);
    expect(child.isAlive).toBe(true);
    await held.release();
    await endsWith(child, 'released');
  });

  it('while it waits in the local queue', async () => {
    await using cluster = await SocketCluster.start();
    cluster.occupy('taken', { leaseDurationSeconds: 60 });
    // The timer alone would not keep it alive until it calls the wait off.
    const script = `
      const stop = new AbortController();
      lock('taken', { keepProcessAlive: false }).acquire();
      lock('taken').acquire({ signal: stop.signal }).catch(() => ending('called off'));
      setTimeout(() => stop.abort(), 1_500).unref();`;
    await endsWith(await workshop.start(ending + script, { api: cluster.api }), 'called off');
  });
});
